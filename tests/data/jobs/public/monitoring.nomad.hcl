job "monitoring" {
  datacenters = ["eu-west-1"]
  node_pool   = "monitoring"

  constraint {
    attribute = "${meta.role}"
    value     = "metrics"
  }

  constraint {
    operator = "distinct_hosts"
    value    = "true"
  }

  group "prometheus" {
    count = 2

    network {
      port "ui" {
        static = 9090
      }
    }

    task "prometheus" {
      driver = "exec"

      template {
        change_mode   = "signal"
        change_signal = "SIGHUP"
        destination   = "local/prometheus.yml"
        data          = <<EOH
---
global:
  scrape_interval: 5s
scrape_configs:
  - job_name: 'nomad'
    static_configs:
      - targets: ['{{ env "attr.unique.network.ip-address" }}:4646']
EOH
      }

      config {
        command = "/bin/sleep"
        args    = ["100000"]
      }

      service {
        name = "prometheus"
        port = "ui"
      }

      resources {
        cores  = 2
        memory = 1024

        device "nvidia/gpu" {
          count = 1
        }
      }

      action "reload" {
        command = "/bin/sh"
        args    = ["-c", "echo kill -HUP $NOMAD_TASK_NAME"]
      }

      action "targets" {
        command = "/bin/sh"
        args    = ["-c", "echo ${NOMAD_ADDR_ui} $(hostname | wc -l)"]
      }
    }
  }
}
