variable "tiers" {
  type    = map(number)
  default = { web = 2, api = 1 }
}

variable "domain" {
  default = "shop.example.com"
}

job "shop" {
  datacenters = ["dc1"]

  affinity {
    attribute = "${node.class}"
    value     = "compute"
    weight    = 50
  }

  spread {
    attribute = "${node.datacenter}"
  }

  dynamic "group" {
    for_each = var.tiers
    labels   = [group.key]
    content {
      count = group.value

      network {
        mode = "bridge"
        port "http" {
          to = 8080
        }
      }

      service {
        name = "shop-${group.key}"
        port = "http"
        connect {
          sidecar_service {}
        }
      }

      task "server" {
        driver = "raw_exec"
        leader = true
        config {
          command = "/bin/sleep"
          args    = ["100000"]
        }
        env {
          PUBLIC_URL = "https://${group.key}.${var.domain}"
          BIND       = "${NOMAD_IP_http}:${NOMAD_PORT_http}"
        }
        action "url" {
          command = "/bin/sh"
          args    = ["-c", "echo $PUBLIC_URL"]
        }
      }
    }
  }

  group "worker" {
    shutdown_delay = "5s"
    task "queue" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args    = ["100000"]
      }
      action "depth" {
        command = "/bin/echo"
        args    = [42]
      }
    }
  }
}
