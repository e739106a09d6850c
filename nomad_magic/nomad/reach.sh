# Finds the process of an action, for nomad_magic.  It needs /proc and what the shell itself has.
# It is read from stdin, and so is what it does then: "known PID", "list OLDEST", "signal NAME PID START", "end".  Ages and
# starts are in hundredths of a second.  It signals one process and those that it started, by
# their ids, each after one more look at when that began.
LC_ALL=C
proc=${2:-/proc}
self=${3:-$$}
parent=${4:-$PPID}

say() { printf '%s\n' "$*"; }

# Read a process's stat: state, its parent, and when it began.
stat() {
    line=
    { while IFS= read -r part || [ -n "$part" ]; do line="$line $part"; done; } <"$proc/$1/stat" || return 1
    # Its name may hold anything, a parenthesis too.
    line=${line##*)}
    # shellcheck disable=SC2086
    set -- $line
    state=$1 of=$2 start=${20}
    [ -n "$start" ]
} 2>/dev/null

# The children of a process, by what all its threads started.
children() {
    found=
    for file in "$proc/$1"/task/*/children; do
        { IFS= read -r part || [ -n "$part" ]; } <"$file" && found="$found $part"
    done
} 2>/dev/null

everyone() {
    found=
    for file in "$proc"/[0-9]*/stat; do
        file=${file%/stat}
        file=${file##*/}
        stat "$file" && [ "$of" = "$1" ] && found="$found $file"
    done
}

offspring() {
    if [ -n "$quick" ]; then children "$1"; else everyone "$1"; fi
}

now() {
    IFS=' ' read -r up _ <"$proc/uptime" && now=${up%.*}${up#*.}
} 2>/dev/null

# What a process says of itself: environment, command.
about() {
    whose=hidden
    if [ -r "$proc/$1/environ" ]; then
        text=
        { while IFS= read -r part || [ -n "$part" ]; do text="$text$part"; done; } <"$proc/$1/environ" 2>/dev/null
        whose=other
        # What parts the variables is lost to a shell: of one task's name another's may be the
        # beginning, of its folder it is not.
        folder=${NOMAD_TASK_DIR:+NOMAD_TASK_DIR=$NOMAD_TASK_DIR}
        case $text in
        '') whose=hidden ;;
        *"NOMAD_ALLOC_ID=$NOMAD_ALLOC_ID"*) case $text in *"NOMAD_TASK_NAME=$NOMAD_TASK_NAME"*)
            case $text in *"$folder"*) whose=task ;; esac ;; esac ;;
        esac
    fi
    say "process $1 $start $whose"
    lines=0
    { while IFS= read -r part || [ -n "$part" ]; do
        case $part in *-snomad_magic-look*) say look; break ;; esac
        say ": $part"
        lines=$((lines + 1))
        [ $lines -lt 99 ] || break
    done; } <"$proc/$1/cmdline" 2>/dev/null
}

list() {
    now || { say "cannot uptime"; return; }
    say "now $now"
    offspring "$parent"
    seen=$found
    [ -z "$quick" ] || offspring "$parent"
    done=' '
    for pid in $seen $found; do
        case $done in *" $pid "*) continue ;; esac
        done="$done$pid "
        [ "$pid" != "$self" ] && [ "$pid" -gt 1 ] || continue
        stat "$pid" || continue
        case $state in Z | X) continue ;; esac
        [ "$of" = "$parent" ] && [ $((now - start)) -le "$1" ] || continue
        about "$pid"
    done
}

# A process, and those that it started, those that they started: each with when it began.
family() {
    stat "$2" && [ "$start" = "$3" ] || { say "gone $2"; return; }
    case $state in Z | X) say "gone $2"; return ;; esac
    left="$2:$3" all=
    while [ -n "$left" ]; do
        one=${left%% *}
        case $left in *' '*) left=${left#* } ;; *) left= ;; esac
        all="$all $one"
        offspring "${one%:*}"
        for pid in $found; do
            [ "$pid" != "$self" ] && [ "$pid" -gt 1 ] && stat "$pid" && [ "$of" = "${one%:*}" ] || continue
            case " $all $left " in *" $pid:"*) continue ;; esac
            left="$left${left:+ }$pid:$start"
        done
    done
    for one in $all; do
        pid=${one%:*}
        if stat "$pid" && [ "$start" = "${one#*:}" ] && kill -s "$1" "$pid" 2>/dev/null; then
            say "signalled $pid $start"
        else
            say "missed $pid ${one#*:}"
        fi
    done
}

known() {
    if stat "$1"; then case $state in Z | X) ;; *) say "process $1 $start known" ;; esac; fi
}

# It says a word only once all of this has been read: what comes on stdin then is not script.
main() {
    stat "$self" || { say "cannot proc"; exit; }
    quick=
    [ ! -r "$proc/$self/task/$self/children" ] || [ ! -d "$proc/$parent/task" ] || quick=yes
    boot=
    { IFS= read -r boot <"$proc/sys/kernel/random/boot_id"; } 2>/dev/null
    say "here $self $parent ${boot:-none}"
    while IFS=' ' read -r word one two three; do
        case $word in
        list) list "$one" ;;
        known) known "$one" ;;
        signal) family "$one" "$two" "$three" ;;
        *) exit ;;
        esac
        say done
    done
}

main
