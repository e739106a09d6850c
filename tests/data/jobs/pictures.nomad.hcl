# What the pictures in docs/pictures show: an action that takes its time to stop, and a short one.

variable "done" {
  description = "The file that lets rebalance end once it was asked to: so a picture has the time."
}

job "cache" {
  group "redis" {
    task "server" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          cat >local/health-check <<'END'
          check() { printf '  %-22s' "$1"; sleep 0.3; printf '\033[32mok\033[0m  %s\n' "$2"; }
          printf 'Health of %s\n' "$NOMAD_ALLOC_NAME"
          check 'answers PING' '0.2 ms'
          check 'replicas in sync' '2 of 2'
          check 'memory' '61 % of 512 MB'
          END
          exec sleep 100000
        EOT
        ]
      }

      action "rebalance" {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          trap 'asked=yes' INT
          printf 'Moving slots to %s\n' "$NOMAD_ALLOC_NAME"
          for slot in 5461 5462 5463 5464; do
            sleep 0.5
            printf '  slot %d  %4d keys  \033[32mmoved\033[0m\n' $slot $((slot * 37 % 1000))
          done
          printf '  slot 5465  88204 keys  '
          while [ -z "$asked" ]; do sleep 0.1; done
          printf '\n\033[33mAsked to stop: slot 5465 is moved to its end first\033[0m\n'
          while [ ! -e '${var.done}' ]; do sleep 0.1; done
          printf '  slot 5465  \033[32mmoved\033[0m\nStopped; no slot is half moved\n'
          exit 130
        EOT
        ]
      }

      action "health-check" {
        command = "/bin/sh"
        args    = ["local/health-check"]
      }
    }
  }
}
