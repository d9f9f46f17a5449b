# Publishes a box file that is there already by Packer's post-processor "vagrant-registry" of the plugin 1.1.7. It makes
# the box and the version when they are missing, uploads, and releases:
#
#     packer init vagrant-registry.pkr.hcl
#     PKR_VAR_secret=… packer build -var server=boxvault.example.com:5001 vagrant-registry.pkr.hcl
#
# The secret is the token of the service account "ci" of the organization "acme", which its page shows once. This
# post-processor speaks HTTPS alone; behind a certificate of your own, set SSL_CERT_FILE.

packer {
  required_plugins {
    vagrant = {
      version = ">= 1.1.7"
      source  = "github.com/hashicorp/vagrant"
    }
  }
}

variable "server" {
  type        = string
  description = "Host and port of BoxVault's HTTPS."
}

variable "secret" {
  type      = string
  sensitive = true
}

variable "version" {
  type    = string
  default = "1.0.0"
}

variable "file" {
  type    = string
  default = "debian.box"
}

source "null" "box" {
  communicator = "none"
}

build {
  sources = ["source.null.box"]

  post-processors {
    post-processor "artifice" {
      files = [var.file]
    }
    post-processor "vagrant-registry" {
      client_id       = "acme/ci"
      client_secret   = var.secret
      hcp_api_address = var.server
      hcp_auth_url    = "https://${var.server}"
      box_tag         = "acme/debian"
      version         = var.version
      architecture    = "amd64"
    }
  }
}
