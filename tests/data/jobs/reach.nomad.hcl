# Actions whose processes are looked for: each stands for a kind of program.
job "reach" {
  type = "service"
  group "g" {
    meta {
      seconds = "4325"
    }
    task "server" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args = ["4320"]
      }
      resources {
        cpu = 20
        memory = 32
      }
      action "plain" {
        command = "/bin/sleep"
        args = ["4321"]
      }
      action "other" {
        command = "/bin/sleep"
        args = ["4322"]
      }
      action "as-the-task" {
        command = "/bin/sleep"
        args = ["4320"]
      }
      action "ends-in-another" {
        command = "/bin/sh"
        args = ["-c", "exec sleep 4323"]
      }
      action "filled-in" {
        command = "/bin/sh"
        args = ["-c", "exec sleep ${NOMAD_META_seconds}"]
      }
      action "tree" {
        command = "/bin/sh"
        args = ["-c", <<EOT
          trap 'exit 9' INT
          (sleep 4326 & (sleep 4327; echo never); echo nor this) &
          wait
        EOT
        ]
      }
      action "storm" {
        command = "/bin/sh"
        args = ["-c", "trap '' INT QUIT; while :; do (exec sleep 0.44) & (:); done"]
      }
      action "titled" {
        command = "/bin/bash"
        args = ["-c", "exec -a 'a title of its own' sleep 4328"]
      }
      action "leaves-one-behind" {
        command = "/bin/sh"
        args = ["-c", "(sleep 4329 & echo begun); sleep 4330; echo on"]
      }
      action "daemon" {
        command = "/bin/sh"
        args = ["-c", "(setsid sleep 4331 &)"]
      }
      action "where" {
        command = "/bin/sh"
        args = ["-c", "echo $NOMAD_TASK_DIR"]
      }
      action "place" {
        command = "/bin/sh"
        args = ["-c", "cd $NOMAD_TASK_DIR; mkdir -p bare; cat > bare/still; chmod +x bare/still"]
      }
      # In there is nothing but a program without libraries.
      action "in-a-chroot" {
        command = "/bin/sh"
        args = ["-c", "exec chroot $NOMAD_TASK_DIR/bare /still 4332"]
      }
      # It writes down each signal that can be caught, and by which process.
      action "witness" {
        command = "/bin/sh"
        args = ["-c", <<EOT
          for one in 1 2 3 4 5 6 7 8 10 11 12 13 14 15 16 18 20 21 22 23 24 25 26 27 28 29 30 31; do
            trap "echo $$ $one >> $NOMAD_TASK_DIR/signals" $one
          done
          echo $$ ready >> $NOMAD_TASK_DIR/signals
          while :; do sleep 5.4333 & wait $!; done
        EOT
        ]
      }
    }
    task "server-two" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args = ["4320"]
      }
      resources {
        cpu = 20
        memory = 32
      }
      action "plain" {
        command = "/bin/sleep"
        args = ["4321"]
      }
    }
  }
}
