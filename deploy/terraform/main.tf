# One cooperative's node in a cluster that is there: a namespace, its Secrets, and the Helm chart.
#
# The values of the Secrets are in Terraform's state in the clear. Keep the state where it is encrypted and few can read it; who
# does not want that makes the Secrets by hand (deploy/k8s/README.md) and uses the chart alone.

resource "kubernetes_namespace_v1" "icn" {
  metadata {
    name = var.namespace
    labels = {
      "pod-security.kubernetes.io/enforce" = "restricted"
    }
  }
}

resource "kubernetes_secret_v1" "node" {
  metadata {
    name      = "icn-secrets"
    namespace = kubernetes_namespace_v1.icn.metadata[0].name
  }
  data = {
    "api-key"        = var.api_key
    "key-passphrase" = var.key_passphrase
    "metrics-token"  = var.metrics_token
  }
}

resource "kubernetes_secret_v1" "identity" {
  metadata {
    name      = "icn-identity"
    namespace = kubernetes_namespace_v1.icn.metadata[0].name
  }
  data = {
    "icn-node-0.key" = file(var.identity_key_file)
  }
}

resource "kubernetes_secret_v1" "postgres" {
  metadata {
    name      = "postgres-secrets"
    namespace = kubernetes_namespace_v1.icn.metadata[0].name
  }
  data = {
    "password" = var.db_password
  }
}

resource "kubernetes_secret_v1" "tls" {
  metadata {
    name      = "icn-tls"
    namespace = kubernetes_namespace_v1.icn.metadata[0].name
  }
  type = "kubernetes.io/tls"
  data = {
    "tls.crt" = file(var.tls_cert_file)
    "tls.key" = file(var.tls_key_file)
  }
}

resource "helm_release" "icn_node" {
  name      = "icn-node"
  chart     = "${path.module}/../helm/icn-node"
  namespace = kubernetes_namespace_v1.icn.metadata[0].name
  # A node that joins may have much to fetch before it is ready.
  timeout = 900

  values = [yamlencode({
    config = file(var.config_file)
    image = {
      repository = var.image_repository
      tag        = var.image_tag
    }
    storage = {
      size      = var.storage_size
      className = var.storage_class
    }
    backups = {
      size      = var.backups_size
      className = var.storage_class
    }
    apiNames = var.api_names
    peers = {
      annotations = var.peers_annotations
    }
  })]

  depends_on = [
    kubernetes_secret_v1.node,
    kubernetes_secret_v1.identity,
    kubernetes_secret_v1.postgres,
    kubernetes_secret_v1.tls,
  ]
}
