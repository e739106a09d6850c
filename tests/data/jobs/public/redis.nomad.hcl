# A cache with its service, its port and a volume, as in many a tutorial.
variable "datacenters" {
  description = "Where the job may run."
  type        = list(string)
  default     = ["dc1"]
}

variable "redis_memory" {
  description = "In megabytes."
  type        = number
  default     = 64
}

job "redis" {
  datacenters = var.datacenters
  type        = "service"

  update {
    max_parallel     = 1
    min_healthy_time = "10s"
    auto_revert      = true
  }

  group "cache" {
    count = 2

    network {
      port "db" {
        to = 6379
      }
    }

    service {
      name     = "redis-cache"
      tags     = ["global", "cache"]
      port     = "db"
      provider = "nomad"

      check {
        name     = "alive"
        type     = "tcp"
        interval = "10s"
        timeout  = "2s"
      }
    }

    restart {
      attempts = 2
      interval = "30m"
      delay    = "15s"
      mode     = "fail"
    }

    ephemeral_disk {
      size = 300
    }

    task "redis" {
      driver = "exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo redis with ${var.redis_memory} MB; exec sleep 100000"]
      }

      resources {
        cpu    = 500
        memory = var.redis_memory
      }

      action "info" {
        command = "/bin/sh"
        args    = ["-c", "echo maxmemory:${var.redis_memory}mb alloc:$NOMAD_ALLOC_INDEX"]
      }

      action "flush" {
        command = "/bin/sh"
        args = ["-c", <<-EOF
          echo "flushing $${NOMAD_ALLOC_NAME:-nothing}"
          exit 0
          EOF
        ]
      }
    }
  }
}
