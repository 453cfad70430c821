variable "kubeconfig" {
  description = "The file that says where the cluster is and who you are there."
  type        = string
  default     = "~/.kube/config"
}

variable "kube_context" {
  description = "Which cluster of that file. There is no default: the wrong one is worse than none."
  type        = string
}

variable "namespace" {
  description = "The namespace of the node, which is made."
  type        = string
  default     = "icn"
}

variable "config_file" {
  description = "The node's configuration, TOML."
  type        = string
}

variable "image_repository" {
  description = "Where the cluster gets the image that the repository's Dockerfile makes."
  type        = string
}

variable "image_tag" {
  description = "The version of the image. Never `latest`: a pod that moves would come back as another version."
  type        = string

  validation {
    condition     = var.image_tag != "latest" && var.image_tag != ""
    error_message = "Say a version."
  }
}

variable "storage_size" {
  description = "Room for the node's keys, journals and embedded store."
  type        = string
  default     = "20Gi"
}

variable "backups_size" {
  description = "Room for the archives of icn-cli dag backup, until somebody fetches them."
  type        = string
  default     = "20Gi"
}

variable "storage_class" {
  description = "The class of the volumes. Empty: the cluster's default."
  type        = string
  default     = ""
}

variable "peers_annotations" {
  description = "Annotations of the Service by which other cooperatives reach the node, such as a cloud's for a fixed address."
  type        = map(string)
  default     = {}
}

variable "identity_key_file" {
  description = "The node's key, encrypted under key_passphrase: icn-cli key new FILE --encrypt."
  type        = string

  validation {
    condition     = strcontains(file(var.identity_key_file), "BEGIN ENCRYPTED PRIVATE KEY")
    error_message = "The key is not encrypted, and would be in Terraform's state: icn-cli key export OLD --to NEW."
  }
}

variable "tls_cert_file" {
  description = "The certificate of the interface, and those that signed it."
  type        = string
}

variable "api_names" {
  description = "The names that the certificate is for. Within the pod they mean the pod, so that icn-cli there reaches the node."
  type        = list(string)
}

variable "tls_key_file" {
  description = "The certificate's private key."
  type        = string
}

# What is secret has no default and is in no file: TF_VAR_key_passphrase and so on.

variable "key_passphrase" {
  description = "The passphrase of the node's key."
  type        = string
  sensitive   = true
}

variable "api_key" {
  description = "The node's own key of its interface, with the scope admin."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.api_key) >= 32
    error_message = "Too short to be nobody's guess: openssl rand -hex 32."
  }
}

variable "metrics_token" {
  description = "The token that Prometheus sends."
  type        = string
  sensitive   = true
}

variable "db_password" {
  description = "The password of the database, where the configuration names $${DB_PASSWORD}."
  type        = string
  sensitive   = true
}
