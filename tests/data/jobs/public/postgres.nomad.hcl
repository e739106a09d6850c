locals {
  image_tag = "16"
  backup    = "/backups/${var.database}-${local.image_tag}.sql"
}

variable "database" {
  type    = string
  default = "app"

  validation {
    condition     = length(split(" ", var.database)) == 1
    error_message = "The name of a database has no blanks."
  }
}

variable "password" {
  type = string
}

job "postgres" {
  datacenters = ["*"]
  priority    = 80

  group "db" {
    volume "data" {
      type            = "host"
      source          = "postgres"
      read_only       = false
    }

    network {
      mode = "host"
      port "pg" { static = 5432 }
    }

    task "server" {
      driver       = "raw_exec"
      user         = "postgres"
      kill_signal  = "SIGINT"
      kill_timeout = "30s"

      volume_mount {
        volume      = "data"
        destination = "/var/lib/postgresql/data"
      }

      env = {
        POSTGRES_DB       = var.database
        POSTGRES_PASSWORD = var.password
        PGDATA            = "${NOMAD_TASK_DIR}/data"
      }

      config {
        command = "/bin/sleep"
        args    = ["100000"]
      }

      resources {
        cpu        = 1000
        memory     = 512
        memory_max = 1024
      }

      action "vacuum" {
        command = "/bin/sh"
        args    = ["-c", "echo VACUUM $POSTGRES_DB in $PGDATA"]
      }

      action "backup" {
        command = "/bin/sh"
        args    = ["-c", format("echo pg_dump %s '>' %s", var.database, local.backup)]
      }
    }
  }
}
