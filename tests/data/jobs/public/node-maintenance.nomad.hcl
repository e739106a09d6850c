job "node-maintenance" {
  datacenters = ["*"]
  type        = "system"
  priority    = 90

  update {
    max_parallel = 1
    stagger      = "1m"
  }

  group "maintenance" {
    task "janitor" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while :; do sleep 60; done"]
      }

      action "disk" {
        command = "/bin/df"
        args    = ["-P", "/"]
      }

      action "logs-older-than" {
        command = "/bin/sh"
        args    = ["-c", "find \"$NOMAD_ALLOC_DIR/logs\" -mtime +7 | wc -l"]
      }

      logs {
        max_files     = 2
        max_file_size = 5
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
