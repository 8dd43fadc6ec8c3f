#!/usr/bin/env bash
# What `make images`, `make up`, `make load` and `make down` do: the whole platform on a cluster.
#
# The cluster is kind's, named "borough", or with CLUSTER=current whatever kubectl points at. All of
# it may be run again: what is there is brought up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

CLUSTER=${CLUSTER:-kind}
SHAPE=${SHAPE:-microservices}
RETIRING=${RETIRING:-}
SCALING=${SCALING:-} # parts to be scaled, with a comma between them
IMAGE=${IMAGE:-borough}
OPERATOR_IMAGE=${OPERATOR_IMAGE:-borough-operator}
TAG=${TAG:-$(sed -n 's/^appVersion: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' charts/borough/Chart.yaml)}
PYTHON_IMAGE=${PYTHON_IMAGE:-python:3.13-slim}
GRAFANA=${GRAFANA:-true}
WAIT=${WAIT:-5m}
NAMESPACE=borough
OBSERVABILITY=observability
OPERATOR=borough-operator
BUILD_LOG=build/images.log
KIND=borough
DOOR_PORT=30080 # these two as in docs/kind.yaml
GRAFANA_PORT=30030

say() { printf '%s\n' "$*" >&2; }
die() { say "borough: $*"; exit 1; }
need() { command -v "$1" > /dev/null || die "$1 is not here: $2"; }
shop() { kubectl --namespace "$NAMESPACE" "$@"; }

# Point kubectl and helm at the cluster; make kind's where it is not there yet.
choose_cluster() {
	need kubectl "it speaks to the cluster"
	need helm "it installs the charts"
	case $CLUSTER in
		kind)
			need docker "kind runs its nodes in it; CLUSTER=current takes the cluster kubectl points at"
			need kind "it makes a cluster; CLUSTER=current takes the one kubectl points at"
			kind get clusters 2> /dev/null | grep -qx "$KIND" \
				|| kind create cluster --config docs/kind.yaml --wait "$WAIT"
			KUBECONFIG=$(mktemp)
			export KUBECONFIG
			trap 'rm -f "$KUBECONFIG"' EXIT
			kind get kubeconfig --name "$KIND" > "$KUBECONFIG"
			;;
		current) kubectl version > /dev/null || die "kubectl points at no cluster that answers" ;;
		*) die "CLUSTER is kind or current, not $CLUSTER" ;;
	esac
}

build() {
	need docker "it builds the images"
	mkdir -p "$(dirname "$BUILD_LOG")"
	: > "$BUILD_LOG"
	build_one services/Dockerfile "$IMAGE:$TAG"
	build_one operator/Dockerfile "$OPERATOR_IMAGE:$TAG"
}

# build_one DOCKERFILE IMAGE: what docker says is shown where it could not.
build_one() {
	say "Building $2 ..."
	docker build --network=host --build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" \
		--build-arg "REVISION=$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
		--file "$1" --tag "$2" . >> "$BUILD_LOG" 2>&1 \
		|| { tail -n 40 "$BUILD_LOG" >&2; die "$2 could not be built: the whole of it is in $BUILD_LOG"; }
}

# A cluster of kind's is handed the images; another one by IMAGE_LOADER, a command that takes names of
# images; without it the cluster pulls.
deliver() {
	local context
	local -a images=("$IMAGE:$TAG" "$OPERATOR_IMAGE:$TAG")
	context=$(kubectl config current-context)
	if [ -n "${IMAGE_LOADER:-}" ]; then
		$IMAGE_LOADER "${images[@]}"
	elif [[ $context == kind-* ]]; then
		kind load docker-image "${images[@]}" --name "${context#kind-}"
	else
		say "The cluster has to find ${images[*]} by itself; IMAGE_LOADER=COMMAND would hand them over."
	fi
}

# A namespace that admits only what keeps to the strictest Pod Security Standard.
namespace() {
	kubectl create namespace "$1" --dry-run=client --output=yaml | kubectl apply --filename=- > /dev/null
	kubectl label namespace "$1" --overwrite \
		pod-security.kubernetes.io/{enforce,warn,audit}=restricted > /dev/null
}

# secret NAME KEY VALUE: made once. What is there stays: a database keeps its first password.
secret() {
	shop get secret "$1" > /dev/null 2>&1 \
		|| shop create secret generic "$1" --from-literal="$2=$3" > /dev/null
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# The API keys of whoever tries the shop, and of the crowd that `make load` sends.
customers() {
	local name keys
	keys="\"ada\": \"$(random)\""
	for name in {1..20}; do keys+=", \"customer-$name\": \"$(random)\""; done
	echo "{$keys}"
}

install_observability() {
	local service=()
	[ "$CLUSTER" != kind ] || service=(--set "grafana.service.type=NodePort,grafana.service.nodePort=$GRAFANA_PORT")
	helm upgrade --install observability charts/observability --namespace "$OBSERVABILITY" \
		--wait --timeout "$WAIT" \
		--set "scrape[0].release=borough,scrape[0].namespace=$NAMESPACE" \
		--set "operators[0].release=borough-operator,operators[0].namespace=$OPERATOR" \
		--set "grafana.enabled=$GRAFANA" "${service[@]}" > /dev/null
}

# It serves the shop's namespace, and may ask the pods there: a scaler chooses what it is answered by.
install_operator() {
	helm upgrade --install borough-operator charts/borough-operator --namespace "$OPERATOR" \
		--wait --timeout "$WAIT" \
		--set "watch.namespaces={$NAMESPACE},pods.enabled=true" \
		--set "image.repository=$OPERATOR_IMAGE,image.tag=$TAG" \
		--set "prometheus.url=http://observability-prometheus.$OBSERVABILITY:9090" \
		--set "telemetry.endpoint=http://observability-collector.$OBSERVABILITY:4318" \
		--set "networkPolicy.observability.namespace=$OBSERVABILITY" > /dev/null
}

# parts_to_keep: of each part that a scaler had, and is to have no more, the words by which it goes on with
# the number of pods it has. A part that the shape does not have goes as a whole.
parts_to_keep() {
	local part number mark columns rendered
	columns='{.metadata.labels.app\.kubernetes\.io/component} {.spec.replicas}'
	columns+=' {.metadata.annotations.scaling\.borough\.dev/replicas}'
	rendered=$(helm template borough charts/borough --show-only templates/deployments.yaml \
		--set "shape=$SHAPE,retiring=$RETIRING" 2> /dev/null) || return 0 # the upgrade says what is wrong with it
	shop get deployments --selector app.kubernetes.io/instance=borough \
		--output jsonpath="{range .items[*]}$columns{\"\n\"}{end}" \
		| while read -r part number mark; do
			[ -n "$mark" ] && [[ ,$SCALING, != *,$part,* ]] || continue
			! grep -qx "  name: borough-$part" <<< "$rendered" || echo "--set parts.$part.replicas=$number"
		done
}

install_shop() {
	local part keeping service=() scaling=() firm=()
	for part in ${SCALING//,/ }; do scaling+=(--set "parts.$part.scaling.enabled=true"); done
	keeping=$(parts_to_keep)
	# Helm 4 would call a number that somebody else has given a conflict; Helm 3 does not ask.
	[[ $(helm version --short) == v3.* ]] || firm=(--server-side=true --force-conflicts)
	[ "$CLUSTER" != kind ] || service=(--set "service.type=NodePort,service.nodePort=$DOOR_PORT")
	secret borough-database password "$(random)"
	secret borough-api-keys api-keys "$(customers)"
	helm upgrade --install borough charts/borough --namespace "$NAMESPACE" \
		--wait --wait-for-jobs --timeout "$WAIT" \
		--set "shape=$SHAPE,retiring=$RETIRING,image.repository=$IMAGE,image.tag=$TAG" \
		--set "postgres.existingSecret=borough-database,customers.existingSecret=borough-api-keys" \
		--set "telemetry.endpoint=http://observability-collector.$OBSERVABILITY:4318" \
		--set "networkPolicy.observability.namespace=$OBSERVABILITY" \
		--set "networkPolicy.operator.namespace=$OPERATOR" \
		$keeping "${scaling[@]}" "${firm[@]}" "${service[@]}" > /dev/null
}

what_now() {
	local key="kubectl --namespace $NAMESPACE get secret borough-api-keys --output jsonpath='{.data.api-keys}'"
	local dashboards=""
	[ "$GRAFANA" != true ] || dashboards=", its dashboards at http://localhost:3000"
	if [ "$CLUSTER" != kind ]; then
		printf '\nTo open first, each in a terminal of its own:\n\n'
		printf '    kubectl --namespace %s port-forward service/borough 8080:80\n' "$NAMESPACE"
		[ -z "$dashboards" ] || printf '    kubectl --namespace %s port-forward service/observability-grafana 3000:3000\n' "$OBSERVABILITY"
	fi
	cat <<- END

		The shop, as $SHAPE, is at http://localhost:8080$dashboards.

		    KEY=\$($key | base64 --decode | sed 's/.*"ada": "\([^"]*\)".*/\1/')
		    curl localhost:8080/v1/menu --header "X-API-Key: \$KEY"
		    make load SKEW=payments     # the same total rate, four times the share of orders
	END
	if [ -n "$SCALING" ]; then
		cat <<- END
			    kubectl --namespace $NAMESPACE get servicescalers --watch     # who scales, and why
		END
	else
		cat <<- END
			    kubectl --namespace $NAMESPACE scale deployment/borough-payments --replicas=3
			    make up SCALING=payments    # or leave that to the operator
		END
	fi
}

up() {
	choose_cluster
	[ "${BUILD:-yes}" = no ] || build
	deliver
	namespace "$OBSERVABILITY"
	namespace "$NAMESPACE"
	namespace "$OPERATOR"
	install_observability &
	local observability=$!
	install_operator
	install_shop
	wait "$observability"
	helm test borough-operator --namespace "$OPERATOR" --timeout "$WAIT" > /dev/null
	helm test borough --namespace "$NAMESPACE" --timeout "$WAIT" > /dev/null
	what_now
}

# An open loop of requests from inside the cluster. An order is also a charge: payments gets busy by
# the share of orders, and nobody calls a capability directly.
load() {
	local orders=0.15 job=borough-load state
	case ${SKEW:-} in
		"") ;;
		payments) orders=0.6 ;;
		*) die "SKEW is payments or nothing, not $SKEW" ;;
	esac
	choose_cluster
	shop delete job "$job" --ignore-not-found --wait > /dev/null
	helm get values borough --namespace "$NAMESPACE" --output yaml \
		| helm template borough charts/borough --namespace "$NAMESPACE" --values - \
			--show-only templates/load.yaml --set "load.enabled=true" \
			--set "load.rate=${RATE:-10},load.seconds=${FOR:-60},load.shares[0]=order=$orders" \
		| shop apply --filename=- > /dev/null
	say "${RATE:-10} requests a second for ${FOR:-60} s, a share of $orders of them orders ..."
	until state=$(shop get job "$job" --output jsonpath='{.status.conditions[?(@.status=="True")].type}') \
		&& [[ $state == *Complete* || $state == *Failed* ]]; do sleep 2; done
	shop logs "job/$job"
	[[ $state == *Complete* ]] || die "not every request was served: see above"
}

down() {
	if [ "$CLUSTER" = kind ]; then
		need kind "it made the cluster"
		kind delete cluster --name "$KIND"
		return
	fi
	choose_cluster
	helm uninstall borough --namespace "$NAMESPACE" --ignore-not-found --wait
	helm uninstall borough-operator --namespace "$OPERATOR" --ignore-not-found --wait
	helm uninstall observability --namespace "$OBSERVABILITY" --ignore-not-found --wait
	say "The orders are still there, in the claims of namespace $NAMESPACE, and what a ServiceScaler is. They go with"
	say "    kubectl delete namespace $NAMESPACE $OBSERVABILITY $OPERATOR"
	say "    kubectl delete customresourcedefinition servicescalers.borough.dev"
}

images() {
	build
	if kubectl config current-context > /dev/null 2>&1; then deliver; fi
}

case ${1:-} in
	images | up | load | down) "$1" ;;
	*) die "usage: charts/cluster.sh images | up | load | down" ;;
esac
