# terraform apply -var-file=production.tfvars
#
# Put your own names in. What is secret is not here: TF_VAR_api_key, TF_VAR_key_passphrase, TF_VAR_metrics_token and
# TF_VAR_db_password.
kube_context      = "production"
namespace         = "icn"
config_file       = "../k8s/overlays/production/config.toml"
image_repository  = "icn-node"
image_tag         = "0.1.0"
storage_size      = "20Gi"
api_names         = ["node.bakery.example"]
identity_key_file = "secrets/icn-node-0.key"
tls_cert_file     = "secrets/cert.pem"
tls_key_file      = "secrets/key.pem"
