"""The Helm chart, rendered by Helm's own library and checked against Kubernetes' schemas: `make test-helm`."""
