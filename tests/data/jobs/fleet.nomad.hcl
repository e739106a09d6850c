job "fleet" {
  type = "service"
  group "redis" {
    count = 12
    task "server" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args = ["100000"]
      }
      resources {
        cpu = 1
        memory = 10
      }
      action "version" {
        command = "/bin/sh"
        args = ["-c", "case $NOMAD_ALLOC_INDEX in 3|7) echo one; echo 2; echo three;; 5) echo bad >&2; exit 3;; *) echo one; echo two; echo three;; esac"]
      }
      action "hello" {
        command = "/bin/echo"
        args = ["hello"]
      }
      action "quiet" {
        command = "/bin/sleep"
        args = ["12346"]
      }
      action "cat" {
        command = "/bin/cat"
        args = []
      }
    }
  }
  group "web" {
    count = 1
    task "server" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args = ["100000"]
      }
      resources {
        cpu = 1
        memory = 10
      }
      action "hello" {
        command = "/bin/echo"
        args = ["hello"]
      }
    }
  }
}
