# The job of the notebooks beside it.
#
#   nomad job run cache.nomad.hcl              on a cluster whose nodes have the driver raw_exec
#   %nomad_agent start cache.nomad.hcl         in a notebook, on no cluster at all
#
# It stands in for Redis: shell scripts that keep a few numbers in files below the allocation, so
# that its actions have something to measure and to change.  It needs a /bin/sh, and nothing else.

locals {
  # What an action begins with: it goes where the task keeps its numbers, and reads them.
  numbers = "cd \"$NOMAD_TASK_DIR\" && until [ -s state ]; do sleep 0.1; done && . ./state"
}

job "cache" {
  type = "service"

  # What clients write to.  Keys expire all the time; a cycle removes them `hz` times in ten
  # seconds, and holds up commands for as long as that takes.  In redis[1] 60,000 expired keys are
  # beyond its reach.
  group "redis" {
    count = 3

    task "server" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          cd "$NOMAD_TASK_DIR"
          hz=10 backlog=0 waiting=0 tick=0
          [ "$NOMAD_ALLOC_INDEX" -ne 1 ] || backlog=60000
          echo "$hz" >hz
          echo "$backlog" >backlog
          while :; do
            read -r backlog <backlog
            tick=$((tick + 1)) waiting=$((waiting + 200)) removed=0
            if [ $((tick * hz % 100)) -lt "$hz" ]; then removed=$waiting waiting=0; fi
            {
              echo "tick=$tick hz=$hz backlog=$backlog expired=$((waiting + backlog))"
              echo "now_us=$((1200 + removed * 2 + backlog * 7 / 10))"
              echo "p99_us=$((1200 + 20000 / hz * 2 + backlog * 7 / 10))"
            } >state.new
            mv state.new state
            # Another hz holds from one cycle to the next.
            [ "$removed" -eq 0 ] || read -r hz <hz
            sleep 0.25
          done
        EOT
        ]
      }

      resources {
        cpu    = 20
        memory = 32
      }

      action "ping" {
        command = "/bin/echo"
        args    = ["PONG"]
      }

      action "latency" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          ${local.numbers}
          printf '{"instance": "%s", "p50_ms": 0.4, "p99_ms": %d.%d, "window_s": 60}\n' \
            "$NOMAD_ALLOC_NAME" $((p99_us / 1000)) $((p99_us % 1000 / 100))
        EOT
        ]
      }

      action "slowlog" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          ${local.numbers}
          ms=$((backlog * 7 / 10000))
          if [ "$ms" -lt 10 ]; then echo "nothing took 10 ms or more"; exit; fi
          echo "id    ms  command"
          echo "31  $ms.0  expire cycle"
          echo "30  $((ms - 1)).2  GET session:8812"
          echo "29  $((ms - 3)).7  GET session:1044"
          echo "28  $ms.1  expire cycle"
        EOT
        ]
      }

      action "memory" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          ${local.numbers}
          printf '{"used_mb": %d, "max_mb": 512, "keys": %d, "expired_keys": %d}\n' \
            $((180 + backlog / 250)) $((240000 + backlog)) "$backlog"
        EOT
        ]
      }

      action "clients" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          for n in 1 2 3 4; do echo "id=$n addr=10.0.0.1$n:5214$n name=checkout idle=0 cmd=get"; done
          for n in 5 6; do echo "id=$n addr=10.0.0.2$n:4018$n name=search idle=3 cmd=mget"; done
          echo "id=7 addr=10.0.0.31:60022 name=nightly-report idle=4180 cmd=scan"
        EOT
        ]
      }

      # Four lines a second, until it is stopped.
      action "stat" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          n=0 seen=
          trap 'printf "\nwatched for %s samples\n" "$n"; exit 130' INT
          ${local.numbers}
          printf '%-14s%-12s%s\n' expired_keys latency_ms hz
          while :; do
            until . ./state && [ "$tick" != "$seen" ]; do sleep 0.1; done
            latency=$((now_us / 1000)).$((now_us % 1000 / 100))
            printf '%-14s%-12s%s\n' "$expired" "$latency" "$hz"
            n=$((n + 1)) seen=$tick
          done
        EOT
        ]
      }

      action "config-get" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          ${local.numbers}
          read -r hz <hz
          printf '%s\n' "appendonly yes" "hz $hz" "maxmemory 512mb" "maxmemory-policy volatile-lru"
        EOT
        ]
      }

      # Reads lines like "hz 50".
      action "config-set" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          ${local.numbers}
          while read -r name value; do
            case "$name" in
              hz) read -r hz <hz
                  [ "$value" -ge 1 ] && [ "$value" -le 100 ] || exit 2
                  echo "$value" >hz.new && mv hz.new hz
                  echo "hz: $hz -> $value" ;;
              *) echo "$name cannot be set while it runs" >&2; exit 2 ;;
            esac
          done
        EOT
        ]
      }

      action "expire-now" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          ${local.numbers}
          left=$backlog
          while [ "$left" -gt 0 ]; do
            left=$((left > 15000 ? left - 15000 : 0))
            echo "$left" >backlog.new && mv backlog.new backlog
            echo "removed $((backlog - left)) of $backlog expired keys"
            sleep 0.3
          done
          echo "no expired keys are left behind"
        EOT
        ]
      }
    }
  }

  # What reads are served from.  replica[5] was set up with other settings, and the link of
  # replica[3] is down until it is used.
  group "replica" {
    count = 8

    task "server" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while :; do sleep 3600; done"]
      }

      resources {
        cpu    = 20
        memory = 32
      }

      action "ping" {
        command = "/bin/echo"
        args    = ["PONG"]
      }

      action "config-get" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          memory=512mb
          [ "$NOMAD_ALLOC_INDEX" -ne 5 ] || memory=256mb
          printf '%s\n' "appendonly yes" "hz 10" "maxmemory $memory" "maxmemory-policy volatile-lru"
        EOT
        ]
      }

      action "memory" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          max=512 evicted=0
          [ "$NOMAD_ALLOC_INDEX" -ne 5 ] || max=256 evicted=18211
          printf '{"used_mb": %d, "max_mb": %d, "evicted_keys": %d}\n' $((max - 40)) "$max" "$evicted"
        EOT
        ]
      }

      action "resync" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          cd "$NOMAD_TASK_DIR"
          echo "asking the primary for what is missing"
          if [ "$NOMAD_ALLOC_INDEX" -eq 3 ] && [ ! -e linked ]; then
            : >linked
            echo "the link to the primary was down; connecting again" >&2
            exit 1
          fi
          rm -f linked
          echo "in sync"
        EOT
        ]
      }
    }
  }
}
