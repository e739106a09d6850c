# Finds the process of an action, for nomad_magic.  It needs /proc and what the shell itself has; a
# sed and a grep make it quicker among many.
# It is read from stdin, and so is what it does then: "known PID", "list FIRST LAST",
# "left FIRST LAST", "signal NAME PID START", "end".  Times are in hundredths of a second since the
# machine started.  It signals one process and those that it started, by their ids, each after one
# more look at when that began.
LC_ALL=C
proc=${2:-/proc}
self=${3:-$$}
parent=${4:-$PPID}

say() { printf '%s\n' "$*"; }

# Read a process's stat: its parent, session and terminal, and when it began.  Of one that has ended
# there is nothing.
stat() {
    line=
    { while IFS= read -r part || [ -n "$part" ]; do line="$line $part"; done; } <"$proc/$1/stat" || return 1
    # Its name may hold anything, a parenthesis too.
    line=${line##*)}
    # shellcheck disable=SC2086
    set -- $line
    of=$2 leader=$4 tty=$5 start=${20}
    case $1 in Z | X | x) return 1 ;; esac
    [ -n "$start" ]
} 2>/dev/null

# The children of a process, by what all its threads started.  The kernel may leave some out while
# others end: so it is read until it says the same again.
children() {
    found=' ' times=0
    while [ $times -lt 5 ]; do
        some=
        for file in "$proc/$1"/task/*/children; do
            { IFS= read -r part || [ -n "$part" ]; } <"$file" && some="$some $part"
        done
        [ "$some" != "$found" ] || return 0
        times=$((times + 1)) found=$some
    done
} 2>/dev/null

# Who may be a child of a process: where the kernel has no lists of children, everyone.
offspring() {
    if [ -n "$quick" ]; then children "$1"; return; fi
    found=
    for file in "$proc"/[0-9]*; do found="$found ${file##*/}"; done
}

# Of many, leave out those that did not begin between two moments, where there is a sed: a shell
# reads byte by byte.  A name with the end of a line in it is odd; then all are left in.
sieve() {
    first=$1 last=$2
    # shellcheck disable=SC2086
    set -- $found
    [ $# -gt 64 ] || return 0
    # shellcheck disable=SC2046
    said=$(cd "$proc" && LC_ALL=C sed -n '
        s/^\([0-9]*\) (.*) . \([^ ]* \)\{18\}\([0-9]*\) .*/\1:\3/p
        t
        s/.*/odd/p' $(printf '%s/stat ' "$@") 2>/dev/null)
    case $said in '' | *odd*) return 0 ;; esac
    found=
    for one in $said; do
        start=${one#*:}
        [ "$start" -lt "$first" ] || [ "$start" -gt "$last" ] || found="$found ${one%:*}"
    done
}

# Of many, leave out those of other allocations, where there is a grep that reads on after a zero.
# What has no environment, or shows none, is left in.
screen() {
    # shellcheck disable=SC2086
    set -- $found
    [ $# -gt 16 ] && printf 'a\000b' | grep -q b || return 0
    # shellcheck disable=SC2046
    some=" $(cd "$proc" && grep -l . $(printf '%s/environ ' "$@") | while IFS= read -r one; do printf '%s ' "$one"; done)"
    # shellcheck disable=SC2046
    ours=" $(cd "$proc" && grep -lF "NOMAD_ALLOC_ID=$NOMAD_ALLOC_ID" $(printf '%s/environ ' "$@") | while IFS= read -r one; do printf '%s ' "$one"; done)"
    found=
    for one; do
        case $ours in *" $one/environ "*) ;; *) case $some in *" $one/environ "*) continue ;; esac ;; esac
        found="$found $one"
    done
} 2>/dev/null

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
    stands=$tty
    [ "$leader" != "$1" ] || stands="$tty leads"
    say "process $1 $start $whose $stands"
    lines=0
    { while IFS= read -r part || [ -n "$part" ]; do
        case $part in *-snomad_magic-look*) say look; break ;; esac
        say ": $part"
        lines=$((lines + 1))
        [ $lines -lt 99 ] || break
    done; } <"$proc/$1/cmdline" 2>/dev/null
}

# The children of a process that began between two moments.
below() {
    offspring "$1"
    sieve "$2" "$3"
    screen
    for pid in $found; do
        [ "$pid" != "$self" ] && [ "$pid" -gt 1 ] && stat "$pid" && [ "$of" = "$1" ] || continue
        [ "$start" -ge "$2" ] && [ "$start" -le "$3" ] || continue
        about "$pid"
    done
}

list() {
    now || { say "cannot uptime"; return; }
    say "now $now"
    below "$parent" "$1" "$2"
}

# Whose own parent ended is a child of one of that one's.
left() {
    above=$parent
    [ "$above" -gt 0 ] || below 1 "$1" "$2"
    while [ "$above" -gt 1 ] && stat "$above" && [ "$of" -gt 0 ]; do
        above=$of
        below "$above" "$1" "$2"
    done
}

# A process, and those that it started, those that they started: each with when it began.
tree() {
    left=$1 all=
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
}

hit() {
    pid=${2%:*}
    stat "$pid" && [ "$start" = "${2#*:}" ] && kill -s "$1" "$pid" 2>/dev/null
}

family() {
    stat "$2" && [ "$start" = "$3" ] || { say "gone $2"; return; }
    # A session that is torn off now ends this in no middle: nothing is said before all is done.
    trap '' HUP INT TERM PIPE
    tree "$2:$3"
    if [ "$1" = KILL ]; then
        # What is stopped starts no other: of those whose parent is gone nobody would know.
        held= times=0 new=yes
        while [ -n "$new" ] && [ $times -lt 20 ]; do
            new=
            for one in $all; do
                case "$held " in *" $one "*) continue ;; esac
                hit STOP "$one"
                held="$held $one" new=yes
            done
            times=$((times + 1))
            tree "$2:$3"
        done
        all=$held
    fi
    came=
    for one in $all; do
        if hit "$1" "$one"; then came="$came signalled:$one"; else came="$came missed:$one"; fi
    done
    for one in $came; do
        pid=${one#*:}
        say "${one%%:*} ${pid%:*} ${pid#*:}"
    done
}

known() {
    if stat "$1"; then say "process $1 $start known"; fi
}

# It says a word only once all of this has been read: what comes on stdin then is not script.
main() {
    stat "$self" && now || { say "cannot proc"; exit; }
    quick=
    [ ! -r "$proc/$self/task/$self/children" ] || [ ! -d "$proc/$parent/task" ] || quick=yes
    boot=
    { IFS= read -r boot <"$proc/sys/kernel/random/boot_id"; } 2>/dev/null
    say "here $self $parent ${boot:-none} $now"
    while IFS=' ' read -r word one two three; do
        case $word in
        list) list "$one" "$two" ;;
        left) left "$one" "$two" ;;
        known) known "$one" ;;
        signal) family "$one" "$two" "$three" ;;
        *) exit ;;
        esac
        say done
    done
}

main
