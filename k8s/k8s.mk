# The targets for Kubernetes, included by the Makefile.

K8S_TOOLS := bin/kustomize bin/kubeconform bin/kind
OVERLAYS := channel kind production
SCHEMAS := .cache/schemas/.done

bin/kustomize: TOOL := sigs.k8s.io/kustomize/kustomize/v5
bin/kubeconform: TOOL := github.com/yannh/kubeconform/cmd/kubeconform
bin/kind: TOOL := sigs.k8s.io/kind
$(K8S_TOOLS): tools/k8s/go.mod tools/k8s/go.sum
	$(say) 'building $@'
	CGO_ENABLED=0 go -C tools/k8s build -trimpath -ldflags='-s -w' -o ../../$@ $(TOOL)
	touch $@

bin/skaffold: tools/skaffold/go.mod tools/skaffold/go.sum
	$(say) 'building $@ (some minutes, once)'
	CGO_ENABLED=0 go -C tools/skaffold build -trimpath -ldflags='-s -w' -o ../../$@ github.com/GoogleContainerTools/skaffold/v2/cmd/skaffold
	touch $@

.PHONY: k8s-tools
k8s-tools: $(K8S_TOOLS) bin/skaffold ## Build kustomize, kubeconform, kind and Skaffold into bin/ (some minutes, once)

$(SCHEMAS): tools/k8s/modules.txt $(wildcard tools/k8s/schemas/*.go tools/k8s/internal/*/*.go)
	rm -rf $(@D)
	go -C tools/k8s run ./schemas modules.txt ../../$(@D)
	touch $@

.PHONY: manifests
manifests: bin/kustomize bin/kubeconform bin/kind $(SCHEMAS) ## Render every overlay, and check it with the API's schemas and the rules of test/manifests
	$(say) 'manifests: render'
	mkdir -p .cache/manifests
	for overlay in $(OVERLAYS); do bin/kustomize build k8s/overlays/$$overlay >.cache/manifests/$$overlay.yaml; done
	$(say) 'manifests: schemas'
	bin/kubeconform -strict -summary -schema-location '.cache/schemas/{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json' \
		$(OVERLAYS:%=.cache/manifests/%.yaml) k8s/components/observability/operator/{podmonitor,prometheusrule,keda}.yaml
	$(say) 'manifests: kind-config.yaml is one'
	@said=$$(KIND_EXPERIMENTAL_PROVIDER=docker DOCKER_HOST=unix:///nowhere bin/kind create cluster --config kind-config.yaml 2>&1 || true); \
	grep -q 'failed to get docker info' <<<"$$said" || { printf '%s\n' "$$said" >&2; exit 1; } # it got past the file, as far as it can
	$(say) 'manifests: rules'
	go test -count=1 -tags manifests ./test/manifests/...

.PHONY: frontend-image-files
frontend-image-files: frontend/dist/index.html ## Copy the built front end to the folder from which ko takes it
	rm -rf frontend/kodata
	cp -R frontend/dist frontend/kodata

.PHONY: kind-up
kind-up: bin/kind bin/skaffold frontend-image-files ## Make a kind cluster with Knative and deploy everything on it (Docker)
	k8s/kind/up

.PHONY: kind-down
kind-down: bin/kind ## Remove the kind cluster
	k8s/kind/down

.PHONY: test-cluster
test-cluster: bin/.programs bin/kustomize bin/mailpit bin/gotestsum frontend-image-files ## Try everything on a real Kubernetes with Knative (root; CLUSTER_DIR)
	test/cluster/run
