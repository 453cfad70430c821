output "namespace" {
  description = "Where the node is."
  value       = kubernetes_namespace_v1.icn.metadata[0].name
}

output "status" {
  description = "The command that shows how the node fares, from inside its pod."
  value       = "kubectl --context ${var.kube_context} --namespace ${var.namespace} exec icn-node-0 -- icn-cli status"
}
