job "m" {
  region = "global"
  namespace = "default"
  node_pool = "default"
  datacenters = ["dc1"]
  type = "service"
  priority = 50
  all_at_once = false
  update { 
    max_parallel = 1 
  }
  migrate { 
   max_parallel = 1 
  }
  reschedule { 
   attempts = 1 
   interval = "1h"
   unlimited = false 
   }
  meta { 
    a = "b" 
  }
  ui { 
    description = "x"
    link { 
      label = "l"
      url = "u" 
    } 
  }
  vault { 
   policies = ["x"] 
  }
  constraint { 
   attribute = "${attr.kernel.name}"
   value = "linux" 
   }
  constraint { 
   distinct_hosts = true 
   }
  constraint { 
   distinct_property = "${meta.rack}" 
   }
  affinity { 
   attribute = "${node.datacenter}"
   value = "dc1"
   weight = 100 
   }
  spread { 
   attribute = "${node.datacenter}"
   weight = 100
   target "dc1" { 
    percent = 100 
    } 
   }
  group "g" {
    count = 1
    shutdown_delay = "1s"
    stop_after_client_disconnect = "1m"
    max_client_disconnect = "1m"
    prevent_reschedule_on_lost = true
    max_run_duration = "1h"
    disconnect { 
      lost_after = "1m" 
    }
    consul { 
      namespace = "x" 
     }
    ephemeral_disk { 
     size = 300 
     sticky = true
     migrate = true
     }
    network {
      mode = "bridge"
      port "http" { 
       static = 80
       to = 80 
       }
      dns { 
       servers = ["1.1.1.1"] 
       }
    }
    service {
      name = "s"
      port = "http"
      provider = "nomad"
      tags = ["a"]
      check { 
       type = "http"
       path = "/"
       interval = "1s"
       timeout = "1s" 
       }
       connect { 
         sidecar_service {} 
       }
    }
    volume "v" { 
     type = "host"
     source = "x" 
    }
    restart { 
     attempts = 1
     delay = "1s"
     interval = "1m"
     mode = "fail"
     render_templates = true
     }
    scaling { 
     enabled = true
     min = 1
     max = 2
     policy { 
     } 
     }
     vault { 
      role = "x" 
     }
    task "t" {
      driver = "raw_exec"
      user = "nobody"
      leader = true
      kill_timeout = "5s"
      kill_signal = "SIGINT"
      shutdown_delay = "1s"
      kind = "connect-proxy:x"
      config { 
       command = "x" 
       }
      env { 
       A = 1
       }
      artifact { 
       source = "http://x/y"
       destination = "local/"
       options { 
         checksum = "x" 
        }
       }
      template { 
       data = "x"
       destination = "local/x"
       change_mode = "restart"
       env = true
       perms = "600"
       }
      resources { 
       cpu = 1
       cores = 1
       memory = 10
       memory_max = 20
       device "gpu" { 
         count = 1 
       }
       numa { 
        affinity = "none" 
       }
       secrets = 10
       network { 
         port "x" {} 
        }
      }
      logs { 
       max_files = 1
       max_file_size = 1
       disabled = true
       }
      lifecycle { 
       hook = "prestart"
       sidecar = false 
       }
      dispatch_payload { 
       file = "x" 
       }
      volume_mount { 
       volume = "v"
       destination = "/x" 
       }
      identity { 
       env = true
       file = true 
       }
      consul { 
       namespace = "x" 
      }
      vault { 
       role = "x" 
      }
      csi_plugin { 
       id = "x"
       type = "node"
       mount_dir = "/x"
      }
      scaling "cpu" { 
       enabled = true
       min = 1
       max = 2
       policy { 
       }
       }
       schedule { 
         cron { 
          start = "0 0 * * *"
          end = "1 1"
          timezone = "UTC"
         } 
       }
       secret "s" { 
         provider = "nomad"
         path = "x"
       }
       action "a" { 
        command = "x" 
       }
    }
  }
  periodic { 
   crons = ["* * * * *"] 
   }
  parameterized { 
   payload = "optional" 
   }
   multiregion { 
     region "x" {} 
   }
}
