job "ends" {
  type = "service"
  group "g" {
    task "main" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args = ["100000"]
      }
      resources {
        cpu = 20
        memory = 32
      }
      action "nothing" {
        command = "/bin/sh"
        args = ["-c", "echo out; exit 3"]
      }
      action "line" {
        command = "/bin/sh"
        args = ["-c", "read x; echo got $x; exit 3"]
      }
      action "part" {
        command = "/bin/sh"
        args = ["-c", "head -c 1500 | wc -c; exit 3"]
      }
      action "much" {
        command = "/bin/sh"
        args = ["-c", "cat >/dev/null; head -c 700000 /dev/zero | tr '\\0' x; exit 3"]
      }
      action "mark" {
        command = "/bin/sh"
        args = ["-c", "echo mark >> $NOMAD_TASK_DIR/marks"]
      }
      action "marks" {
        command = "/bin/sh"
        args = ["-c", "cat $NOMAD_TASK_DIR/marks | wc -l"]
      }
      # The process starts before the agent reads the first frame: until then the size is 0 0.
      action "first-size" {
        command = "/bin/sh"
        args = ["-c", "while size=$(stty size); [ \"$size\" = '0 0' ]; do :; done; echo $size"]
      }
      action "dollars" {
        command = "/bin/sh"
        args = ["-c", "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo \"$i of $HOME\"; done; echo last $$; exit 4"]
      }
      action "unechoed" {
        command = "/bin/sh"
        args = ["-c", "stty -echo; echo ready; exec cat"]
      }
    }
  }
}
