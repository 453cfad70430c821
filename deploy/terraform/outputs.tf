output "namespace" {
  description = "Where the node is."
  value       = kubernetes_namespace_v1.icn.metadata[0].name
}

output "status" {
  description = "The command that shows how the node fares, from inside its pod, where api_names lead to it."
  value       = "kubectl --context ${var.kube_context} --namespace ${var.namespace} exec icn-node-0 -- icn-cli status"
}

output "backup" {
  description = "The command that backs the node up, to the pod's volume for that; the archive is to be fetched."
  value       = "kubectl --context ${var.kube_context} --namespace ${var.namespace} exec icn-node-0 -- icn-cli dag backup --include-identity --path /var/backups/icn"
}
