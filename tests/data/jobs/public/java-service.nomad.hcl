variable "app_version" {
  type    = string
  default = "1.4.2"
}

variable "jvm" {
  type = object({
    heap  = string
    flags = list(string)
  })
  default = {
    heap  = "256m"
    flags = ["-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"]
  }
}

job "orders" {
  datacenters = ["dc1"]

  meta {
    team    = "payments"
    version = var.app_version
  }

  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  group "api" {
    count = 1

    network {
      port "http" {}
      port "jmx" {}
    }

    service {
      name = "orders"
      port = "http"
      tags = ["v${var.app_version}", "traefik.enable=true"]
      check {
        type     = "http"
        path     = "/actuator/health"
        interval = "10s"
        timeout  = "2s"
      }
    }

    task "jvm" {
      driver = "raw_exec"

      artifact {
        source      = "https://repo.example.com/orders/${var.app_version}/orders.jar"
        destination = "local/"
      }

      template {
        destination = "local/application.properties"
        change_mode = "restart"
        data        = <<EOF
server.port={{ env "NOMAD_PORT_http" }}
spring.datasource.url=jdbc:postgresql://{{ range service "postgres" }}{{ .Address }}:{{ .Port }}{{ end }}/orders
EOF
      }

      template {
        destination = "secrets/db.env"
        env         = true
        data        = "DB_PASSWORD={{ with secret \"kv/orders\" }}{{ .Data.password }}{{ end }}"
      }

      vault {
        policies = ["orders"]
      }

      config {
        command = "/bin/sh"
        args = [
          "-c",
          "echo java -Xmx${var.jvm.heap} ${join(" ", var.jvm.flags)} -jar local/orders.jar; exec sleep 100000",
        ]
      }

      action "thread-dump" {
        command = "/bin/sh"
        args    = ["-c", "echo jcmd 1 Thread.print '(${var.app_version})'"]
      }

      action "heap" {
        command = "/bin/echo"
        args    = [var.jvm.heap]
      }

      resources {
        cpu    = 800
        memory = 512
      }
    }
  }
}
