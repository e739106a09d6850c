job "terminal" {
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
      # The process starts before the agent reads the first frame: until then the size is 0 0.
      action "first-size" {
        command = "/bin/sh"
        args = ["-c", "while size=$(stty size); [ \"$size\" = '0 0' ]; do :; done; echo $size"]
      }
    }
  }
}
