# Functions that the demo, the tests and the set-up share. To be sourced by bash.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
devcluster=$root/devcluster/devcluster

# The image of the operator that is built here, and the one that runs in its Jobs.
operator_image=localhost/punctual:dev
# shellcheck disable=SC2034
cluster_workload_image=localhost/busybox:dev

# Everything a run leaves behind while it runs: its cluster, its images, its kubeconfig.
work=
cluster_dir=

# --- output -----------------------------------------------------------------------------------

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ] && [ -z "${CI:-}" ]; then
    bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' red='' plain=''
fi

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
fail() { printf '%s%s: %s%s\n' "$red" "${program:-punctual}" "$*" "$plain" >&2; exit 1; }

# Puts four spaces before every line of the input, as it comes.
indent() { while IFS= read -r line || [ -n "$line" ]; do printf '    %s\n' "$line"; done; }

# Shows a command as one would type it, runs it, and shows what it says.
show() {
    printf '\n  %s$ %s%s\n' "$bold" "$*" "$plain"
    eval "$*" 2>&1 | indent || fail "the command above failed"
}

# --- waiting ----------------------------------------------------------------------------------

# until_true SECONDS WHAT COMMAND...: repeats the command until it succeeds; past the time,
# answers false and says what did not happen.
until_true() {
    local seconds=$1 what=$2 deadline=$((SECONDS + $1))
    shift 2
    until "$@" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || { warn "after $seconds s still not: $what"; return 1; }
        sleep 0.2
    done
}

# --- the machine ------------------------------------------------------------------------------

# at_least WANTED HAVE: whether a version is new enough.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

target_dir() {
    (cd "$root" && cargo metadata --format-version 1 --no-deps --locked) | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# --- a cluster of our own ---------------------------------------------------------------------

# make_work NAME: a directory for everything this run makes.
make_work() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/punctual-$1.XXXXXX")
    # Nothing reaches a cluster that the user may have set, whatever fails.
    export KUBECONFIG=$work/none
}

# Where our own cluster is, and that kubectl and helm mean it.
use_own_cluster() {
    cluster_dir=$work/cluster
    export KUBECONFIG=$cluster_dir/admin.kubeconfig PATH=$cluster_dir/bin:$PATH
}

# start_cluster KIND [FLAG...]: a cluster, which ends with this process at the latest.
start_cluster() {
    local kind=$1
    shift
    "$devcluster" up --dir "$cluster_dir" --node "$kind" --detach --die-with-parent --parent-pid $$ "$@"
}

# Whether containers really run there.
node_is_real() { [ -n "$(kubectl get nodes -o name --field-selector metadata.name=node-1)" ]; }

# build_operator_image PROGRAM ARCHIVE: an image of the program that cargo built.
build_operator_image() {
    "$devcluster" image --name "$operator_image" --out "$2" --user 65532:65532 --entrypoint /punctual --elf "$1:/punctual"
}

# The examples ask for busybox:1; on our nodes the machine's own stands in for it.
load_image_of_examples() {
    "$devcluster" image --name docker.io/library/busybox:1 --busybox --out "$work/busybox.tar"
    "$devcluster" load --dir "$cluster_dir" "$work/busybox.tar" >/dev/null
}

stop_cluster() {
    [ -n "$cluster_dir" ] && [ -d "$cluster_dir" ] || return 0
    "$devcluster" down --dir "$cluster_dir" --remove
}

# --- the operator -----------------------------------------------------------------------------

# image_values IMAGE: an image's name as values of the chart.
image_values() {
    local name=$1 registry='' tag='' digest=''
    case $name in *@*) digest=${name#*@} name=${name%%@*} ;; esac
    case ${name##*/} in *:*) tag=${name##*:} name=${name%:*} ;; esac
    # As container runtimes see it: the first part is a registry when it looks like a host.
    case ${name%%/*} in
        "$name") ;;
        *.* | *:* | localhost) registry=${name%%/*} name=${name#*/} ;;
    esac
    printf 'image.registry=%s,image.repository=%s,image.tag=%s,image.digest=%s\n' "$registry" "$name" "$tag" "$digest"
}

# The holder of the leader Lease.
leader() { kubectl get lease punctual --namespace punctual -o jsonpath='{.spec.holderIdentity}'; }

# operator_process POD-UID: the process of a Pod's operator, as its node numbers it.
operator_process() {
    # shellcheck disable=SC2016 # for the shell in the node
    "$devcluster" enter --dir "$cluster_dir" sh -c '
        for process in /proc/[0-9]*; do
            grep -q "$0" "$process/cgroup" 2>/dev/null || continue
            case $(tr "\0" " " <"$process/cmdline") in /punctual\ *) echo "${process#/proc/}" ;; esac
        done' "${1//-/.}"
}
