#!/usr/bin/env bash
# What `make images`, `make up`, `make load` and `make down` do: the whole platform on a cluster.
#
# The cluster is kind's, named "borough", or with CLUSTER=current whatever kubectl points at. All of
# it may be run again: what is there is brought up to date. `deliver IMAGE...` hands further images
# to the cluster kubectl points at; the end-to-end tests use it.
set -euo pipefail
cd "$(dirname "$0")/.."

CLUSTER=${CLUSTER:-kind}
KIND_CONFIG=${KIND_CONFIG:-docs/kind.yaml}
KIND_IMAGE=${KIND_IMAGE:-} # of the nodes; empty: what the configuration names
SHAPE=${SHAPE:-microservices}
RETIRING=${RETIRING:-}
SCALING=${SCALING:-} # parts to be scaled, with a comma between them
IMAGE=${IMAGE:-borough}
OPERATOR_IMAGE=${OPERATOR_IMAGE:-borough-operator}
LOAD_IMAGE=${LOAD_IMAGE:-borough-bill}
TAG=${TAG:-$(sed -n 's/^appVersion: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' charts/borough/Chart.yaml)}
PYTHON_IMAGE=${PYTHON_IMAGE:-python:3.13-slim}
GRAFANA=${GRAFANA:-true}
WAIT=${WAIT:-5m}
NAMESPACE=borough
OBSERVABILITY=observability
OPERATOR=borough-operator
BUILD_LOG=build/images.log
KIND=borough
COMPLETE=/kind/borough-complete # a file in the control plane: kind's creation came to its end
DOOR_PORT=30080 # these two as in docs/kind.yaml
GRAFANA_PORT=30030
DEFINITION=servicescalers.borough.dev

VERB=${1:-}
STEP="reading its settings"
FINISHED=no
PRIVATE= # a file that goes with this process

say() { printf '%s\n' "$*" >&2; }
die() { say "borough: $*"; exit 1; }
need() { command -v "$1" > /dev/null || die "$1 is not here: $2"; }
shop() { kubectl --namespace "$NAMESPACE" "$@"; }

# A script that ends before its last line has failed, whatever its status is: bash 3.2 ends with
# status 0 where a variable is not set and the last command of the trap succeeds.
finish() {
	local code=$? job
	for job in $(jobs -p); do kill "$job" 2> /dev/null || true; done
	[ -z "$PRIVATE" ] || rm -f "$PRIVATE"
	if [ "$FINISHED" = no ]; then
		[ "$code" -ne 0 ] || code=1
		say "borough: ${VERB:-cluster.sh} failed (status $code) while $STEP."
	fi
	exit "$code"
}
trap finish EXIT

# Point kubectl and helm at the cluster; make kind's where it is not there yet.
choose_cluster() {
	STEP="looking for the cluster"
	need kubectl "it speaks to the cluster"
	need helm "it installs the charts"
	case $CLUSTER in
		kind)
			need docker "kind runs its nodes in it; CLUSTER=current takes the cluster kubectl points at"
			need kind "it makes a cluster; CLUSTER=current takes the one kubectl points at"
			USERS_KUBECONFIG=${KUBECONFIG-}
			PRIVATE=$(mktemp)
			export KUBECONFIG=$PRIVATE
			ensure_kind
			;;
		current) kubectl version > /dev/null || die "kubectl points at no cluster that responds" ;;
		*) die "CLUSTER is kind or current, not $CLUSTER" ;;
	esac
}

kind_kubeconfig() { kind get kubeconfig --name "$KIND" > "$KUBECONFIG"; }

# A cluster whose creation was interrupted is made anew: nothing is in it yet.
ensure_kind() {
	local clusters
	clusters=$(kind get clusters 2> /dev/null)
	if ! grep -qx "$KIND" <<< "$clusters"; then
		create_kind
	elif ! was_completed; then
		say "The creation of cluster $KIND was interrupted: it is made anew."
		kind delete cluster --name "$KIND"
		create_kind
	fi
	STEP="waiting for the nodes of cluster $KIND"
	kind_kubeconfig
	kubectl wait --for=condition=Ready nodes --all --timeout="$WAIT" > /dev/null \
		|| die "not every node of cluster $KIND is ready; make down takes the cluster away"
}

create_kind() {
	local image=()
	STEP="creating cluster $KIND from $KIND_CONFIG"
	[ -z "$KIND_IMAGE" ] || image=(--image "$KIND_IMAGE")
	# In the user's own kubeconfig kind makes it the current context, for make e2e and for kubectl.
	KUBECONFIG=$USERS_KUBECONFIG kind create cluster --name "$KIND" --config "$KIND_CONFIG" --wait "$WAIT" \
		${image[@]+"${image[@]}"}
	docker exec "$KIND-control-plane" touch "$COMPLETE"
}

# Whether kind's creation came to its end. A cluster made by hand has no mark: it is taken for one
# that did where all of its nodes are ready.
was_completed() {
	local running nodes
	running=$(docker inspect --format '{{.State.Running}}' "$KIND-control-plane" 2> /dev/null) || return 1
	[ "$running" = true ] \
		|| die "cluster $KIND is there, and its control plane does not run: start its containers, or take it away by make down"
	! docker exec "$KIND-control-plane" test -e "$COMPLETE" || return 0
	kind_kubeconfig 2> /dev/null || return 1
	nodes=$(kind get nodes --name "$KIND")
	if [ "$(kubectl get nodes --output name | wc -l)" -eq "$(wc -l <<< "$nodes")" ] \
		&& kubectl wait --for=condition=Ready nodes --all --timeout=10s > /dev/null; then
		KUBECONFIG=$USERS_KUBECONFIG kind export kubeconfig --name "$KIND" # the last that kind does
		docker exec "$KIND-control-plane" touch "$COMPLETE"
	elif shop get all --output name 2> /dev/null | grep . > /dev/null; then
		die "cluster $KIND has a shop, and not all of its nodes are ready; make down takes both away"
	else
		return 1
	fi
}

# published PORT: where kind publishes this port of a node, "NODE ADDRESS"; nothing where it does not.
published() {
	local node at
	[ "$CLUSTER" = kind ] || return 0
	for node in $(kind get nodes --name "$KIND"); do
		at=$(docker port "$node" "$1/tcp" 2> /dev/null | head -n 1) || continue
		echo "$node $at"
		return
	done
}

# outside PORT: what a user types to reach a published port; nothing where it is not published.
outside() {
	local node at
	read -r node at <<< "$(published "$1")"
	case $at in
		127.0.0.1:* | 0.0.0.0:* | \[::*) echo "localhost:${at##*:}" ;;
		*) echo "$at" ;;
	esac
}

# node_port PORT SERVICE: the values by which a Service of a chart answers at a published port. To a
# pod on another node the packets come from the node that publishes it, by its own address; to a pod
# on that node from this machine, by that of the gateway of Docker's network. Policies let in these.
node_port() {
	local node at ips ip cidrs=""
	read -r node at <<< "$(published "$1")"
	[ -n "$node" ] || return 0
	ips=$(kubectl get node "$node" --output jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}')
	ips+=" $(docker inspect --format '{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPv6Gateway}} {{end}}' "$node")"
	for ip in $ips; do
		case $ip in *:*) ip=$ip/128 ;; *) ip=$ip/32 ;; esac
		cidrs+="${cidrs:+,}$ip"
	done
	echo "--set $2.type=NodePort,$2.nodePort=$1,networkPolicy.nodes={$cidrs}"
}

build() {
	STEP="building the images"
	need docker "it builds the images"
	mkdir -p "$(dirname "$BUILD_LOG")"
	: > "$BUILD_LOG"
	build_one services/Dockerfile "$IMAGE:$TAG"
	build_one operator/Dockerfile "$OPERATOR_IMAGE:$TAG"
	build_one bill/Dockerfile "$LOAD_IMAGE:$TAG"
}

# build_one DOCKERFILE IMAGE: what docker says is shown where it could not.
build_one() {
	say "Building $2 ..."
	docker build --network=host --build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" \
		--build-arg "REVISION=$(git rev-parse HEAD 2> /dev/null || echo unknown)" \
		--file "$1" --tag "$2" . >> "$BUILD_LOG" 2>&1 \
		|| { tail -n 40 "$BUILD_LOG" >&2; die "$2 could not be built: the whole of it is in $BUILD_LOG"; }
}

# deliver IMAGE...: a cluster of kind's is handed the images; another one by IMAGE_LOADER, a command
# that takes names of images; without it the cluster pulls.
deliver() {
	local context
	STEP="handing over $*"
	context=$(kubectl config current-context)
	if [ -n "${IMAGE_LOADER:-}" ]; then
		$IMAGE_LOADER "$@"
	elif [[ $context == kind-* ]]; then
		kind load docker-image "$@" --name "${context#kind-}"
	else
		say "The cluster must be able to pull $*; IMAGE_LOADER=COMMAND would load them."
	fi
}

# A namespace that admits only what keeps to the strictest Pod Security Standard.
namespace() {
	kubectl create namespace "$1" --dry-run=client --output=yaml | kubectl apply --filename=- > /dev/null
	kubectl label namespace "$1" --overwrite \
		pod-security.kubernetes.io/{enforce,warn,audit}=restricted > /dev/null
}

# secret NAME KEY=VALUE...: made once. What is there stays: a database keeps its first passwords.
secret() {
	local name=$1 pair pairs=()
	shift
	for pair in "$@"; do pairs+=("--from-literal=$pair"); done
	shop get secret "$name" > /dev/null 2>&1 \
		|| shop create secret generic "$name" ${pairs[@]+"${pairs[@]}"} > /dev/null
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# The API keys for trials by hand, and of the customers that `make load` simulates.
customers() {
	local name keys
	keys="\"ada\": \"$(random)\""
	for name in {1..20}; do keys+=", \"customer-$name\": \"$(random)\""; done
	echo "{$keys}"
}

install_observability() {
	local service
	service=$(node_port "$GRAFANA_PORT" grafana.service)
	helm upgrade --install observability charts/observability --namespace "$OBSERVABILITY" \
		--wait --timeout "$WAIT" \
		--set "scrape[0].release=borough,scrape[0].namespace=$NAMESPACE" \
		--set "operators[0].release=borough-operator,operators[0].namespace=$OPERATOR" \
		--set "grafana.enabled=$GRAFANA" $service > /dev/null
}

# The definition of ServiceScaler stays where a release of the operator goes. What such a release has
# left becomes ours, so that Helm brings it up to date; what another one brings stays with that one.
# Prints whether ours is to bring it.
brings_definition() {
	local found name space by='.metadata.annotations.meta\.helm\.sh/release'
	found=$(kubectl get customresourcedefinition "$DEFINITION" --ignore-not-found \
		--output jsonpath="{$by-name} {$by-namespace} there")
	read -r name space _ <<< "$found"
	if [ -z "$found" ] || [ "$name $space" = "borough-operator $OPERATOR" ]; then
		echo true
		return
	elif [ "$name" != there ] && helm status "$name" --namespace "$space" > /dev/null 2>&1; then
		say "Release $name in namespace $space brings the definition of ServiceScaler: it stays as it is."
		echo false
		return
	fi
	kubectl annotate customresourcedefinition "$DEFINITION" --overwrite \
		meta.helm.sh/release-name=borough-operator "meta.helm.sh/release-namespace=$OPERATOR" > /dev/null
	kubectl label customresourcedefinition "$DEFINITION" --overwrite app.kubernetes.io/managed-by=Helm > /dev/null
	echo true
}

# Helm 4 would call a value that another program has set a conflict; Helm 3 does not ask.
firm() {
	[[ $(helm version --short) == v3.* ]] || echo "--server-side=true --force-conflicts"
}

# It serves the shop's namespace, and may ask the pods there: a scaler chooses what it is answered by.
install_operator() {
	local brings
	brings=$(brings_definition)
	helm upgrade --install borough-operator charts/borough-operator --namespace "$OPERATOR" \
		--wait --timeout "$WAIT" \
		--set "watch.namespaces={$NAMESPACE},pods.enabled=true,crds.install=$brings" \
		--set "image.repository=$OPERATOR_IMAGE,image.tag=$TAG" \
		--set "prometheus.url=http://observability-prometheus.$OBSERVABILITY:9090" \
		--set "telemetry.endpoint=http://observability-collector.$OBSERVABILITY:4318" \
		--set "networkPolicy.observability.namespace=$OBSERVABILITY" $(firm) > /dev/null
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
	local part keeping service scaling=()
	STEP="installing the shop"
	service=$(node_port "$DOOR_PORT" service)
	for part in ${SCALING//,/ }; do scaling+=(--set "parts.$part.scaling.enabled=true"); done
	keeping=$(parts_to_keep)
	secret borough-database "password=$(random)" "admin-password=$(random)"
	secret borough-api-keys "api-keys=$(customers)"
	helm upgrade --install borough charts/borough --namespace "$NAMESPACE" \
		--wait --wait-for-jobs --timeout "$WAIT" \
		--set "shape=$SHAPE,retiring=$RETIRING,image.repository=$IMAGE,image.tag=$TAG" \
		--set "load.image.repository=$LOAD_IMAGE" \
		--set "postgres.existingSecret=borough-database,customers.existingSecret=borough-api-keys" \
		--set "telemetry.endpoint=http://observability-collector.$OBSERVABILITY:4318" \
		--set "networkPolicy.observability.namespace=$OBSERVABILITY" \
		--set "networkPolicy.operator.namespace=$OPERATOR" \
		$keeping $service ${scaling[@]+"${scaling[@]}"} $(firm) > /dev/null
}

what_now() {
	local key="kubectl --namespace $NAMESPACE get secret borough-api-keys --output jsonpath='{.data.api-keys}'"
	local door grafana dashboards="" forwards=""
	door=$(outside "$DOOR_PORT")
	grafana=$(outside "$GRAFANA_PORT")
	[ -n "$door" ] || forwards+="    kubectl --namespace $NAMESPACE port-forward service/borough 8080:80"$'\n'
	if [ "$GRAFANA" = true ]; then
		[ -n "$grafana" ] || forwards+="    kubectl --namespace $OBSERVABILITY port-forward service/observability-grafana 3000:3000"$'\n'
		dashboards=", its dashboards at http://${grafana:-localhost:3000}"
	fi
	[ -z "$forwards" ] || printf '\nTo open first, each in a terminal of its own:\n\n%s' "$forwards"
	cat <<- END

		The shop, as $SHAPE, is at http://${door:-localhost:8080}$dashboards.

		    KEY=\$($key | base64 --decode | sed 's/.*"ada": "\([^"]*\)".*/\1/')
		    curl ${door:-localhost:8080}/v1/menu --header "X-API-Key: \$KEY"
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
	kubectl get apiservice v1beta1.metrics.k8s.io > /dev/null 2>&1 || cat <<- END

		There is no metrics-server: kubectl top and the autoscaler that make e2e sets beside ours need one
		(docs/kubernetes.md).
	END
}

up() {
	local observability operator
	choose_cluster
	[ "${BUILD:-yes}" = no ] || build
	deliver "$IMAGE:$TAG" "$OPERATOR_IMAGE:$TAG" "$LOAD_IMAGE:$TAG"
	STEP="making the namespaces"
	namespace "$OBSERVABILITY"
	namespace "$NAMESPACE"
	namespace "$OPERATOR"
	install_observability &
	observability=$!
	install_operator &
	operator=$!
	STEP="installing the operator" # a shop may hold ServiceScalers, so their definition comes first
	until kubectl get customresourcedefinition "$DEFINITION" > /dev/null 2>&1; do
		kill -0 "$operator" 2> /dev/null || wait "$operator"
		sleep 0.5
	done
	install_shop
	STEP="installing the operator"
	wait "$operator"
	STEP="installing what observes"
	wait "$observability"
	STEP="testing the operator (helm test borough-operator)"
	helm test borough-operator --namespace "$OPERATOR" --timeout "$WAIT" > /dev/null
	STEP="testing the shop (helm test borough)"
	helm test borough --namespace "$NAMESPACE" --timeout "$WAIT" > /dev/null
	what_now
}

# An open loop of requests from inside the cluster. An order is also a charge: payments gets busy by
# the share of orders; no client calls a capability directly.
load() {
	local orders=0.15 job=borough-load state
	case ${SKEW:-} in
		"") ;;
		payments) orders=0.6 ;;
		*) die "SKEW is payments or nothing, not $SKEW" ;;
	esac
	choose_cluster
	STEP="sending requests"
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
	STEP="taking the platform away"
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
	say "    kubectl delete customresourcedefinition $DEFINITION"
}

images() {
	build
	if kubectl config current-context > /dev/null 2>&1; then deliver "$IMAGE:$TAG" "$OPERATOR_IMAGE:$TAG" "$LOAD_IMAGE:$TAG"; fi
}

case $VERB in
	images | up | load | down) "$VERB" ;;
	deliver) shift; deliver "$@" ;;
	*) die "usage: charts/cluster.sh images | up | load | down | deliver IMAGE..." ;;
esac
FINISHED=yes
