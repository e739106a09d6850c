variable "day" {
  type    = string
  default = "2024-01-31"
}

job "etl" {
  datacenters = ["dc1"]
  type        = "batch"

  group "load" {
    volume "lake" {
      type            = "csi"
      source          = "lake"
      attachment_mode = "file-system"
      access_mode     = "multi-node-reader-only"
    }

    task "prepare" {
      driver = "exec"
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "echo ${var.day} >\"$NOMAD_ALLOC_DIR/data/day\""]
      }
    }

    task "load" {
      driver = "exec"

      volume_mount {
        volume      = "lake"
        destination = "/lake"
        read_only   = true
      }

      config {
        command = "/bin/sh"
        args = ["-c", <<EOT
day=$(cat "$NOMAD_ALLOC_DIR/data/day")
echo "loading $day"
exec sleep 100000
EOT
        ]
      }

      restart {
        attempts = 0
      }

      action "progress" {
        command = "/bin/sh"
        args    = ["-c", "cat \"$NOMAD_ALLOC_DIR/data/day\""]
      }
    }
  }
}
