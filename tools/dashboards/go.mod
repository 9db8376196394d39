// Makes the Grafana dashboards, apart from the product's module graph.
module orderbell/tools/dashboards

go 1.26.0

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
