# The steps of the demo's story. Each shows the real commands and their real answers, and fails
# when what it tells of did not happen. To be sourced after scripts/lib.sh.
# shellcheck shell=bash disable=SC2154 # variables of scripts/lib.sh and demo/run

number=0
step() {
    number=$((number + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$number" "$1" "$plain"
}
tell() { printf '  %s\n' "$*"; }

# expect SECONDS WHAT COMMAND...: waits for what the story tells, or ends the demo.
expect() {
    until_true "$@" || { diagnose >&2; fail "step $number: $2: did not happen within $1 s"; }
}

# check WHAT COMMAND...: what the story tells must be so now.
check() {
    local what=$1
    shift
    "$@" || { diagnose >&2; fail "step $number: this is not so: $what"; }
}

diagnose() {
    say "--- how things stand:"
    kubectl get psched,jobs,pods,leases || true
    kubectl get pods,events --namespace punctual || true
    kubectl logs --namespace punctual --selector app.kubernetes.io/name=punctual --prefix --tail 15 || true
    if [ -n "$work" ]; then tail -n 15 "$work"/operator-*.log 2>/dev/null || true; fi
}

# --- questions to the cluster -----------------------------------------------------------------

# field SCHEDULE JSONPATH
field() { kubectl get psched "$1" -o jsonpath="{$2}"; }
# equal WANTED COMMAND...
equal() { local wanted=$1; shift; [ "$("$@")" = "$wanted" ]; }
is_set() { [ -n "$(field "$@")" ]; }
active_job() { field "$1" '.status.active[0].jobName'; }
# outcome_of SCHEDULE SLOT: equal neighbours are one entry of status.
outcome_of() {
    kubectl get psched "$1" -o jsonpath='{range .status.outcomes[*]}{.slotTime} {.lastSlotTime} {.outcome}{"\n"}{end}' |
        awk -v slot="$2" '{ last = NF > 2 ? $2 : $1 } $1 <= slot && slot <= last { print $NF }'
}
result_of() { field "$1" ".status.results[?(@.jobName==\"$2\")].outcome"; }
gone() { equal '' "$@"; }
exists() { kubectl get "$@" >/dev/null; }

# delay JOB: seconds from its slot to its creation.
delay() {
    local slot created
    IFS=' ' read -r slot created < <(kubectl get job "$1" -o jsonpath='{.metadata.annotations.punctual\.dev/slot-time} {.metadata.creationTimestamp}{"\n"}')
    echo $(($(date -d "$created" +%s) - $(date -d "$slot" +%s)))
}
# The API server keeps creation times in whole seconds, so 1 may be a hundredth of it.
on_time() { [ "$(delay "$1")" -le 1 ]; }

# A slot of which there are two Jobs.
slots_run_twice() {
    kubectl get jobs -o jsonpath='{range .items[*]}{.metadata.annotations.punctual\.dev/schedule} {.metadata.annotations.punctual\.dev/slot-time}{"\n"}{end}' | sort | uniq -d
}

results="-o jsonpath='{range .status.results[*]}{.slotTime}  {.outcome}, exit code {.exitCode}: {.message}{\"\\n\"}{end}'"
outcomes="-o jsonpath='{range .status.outcomes[*]}{.slotTime} {.lastSlotTime} {.outcome}{\"\n\"}{end}'"
lease_columns="-o custom-columns=NAME:.metadata.name,HOLDER:.spec.holderIdentity,ACQUIRED:.spec.acquireTime,RENEWED:.spec.renewTime"
job_columns="-o custom-columns='SLOT:.metadata.annotations.punctual\.dev/slot-time,CREATED:.metadata.creationTimestamp,TERM:.metadata.annotations.punctual\.dev/leader-term,JOB:.metadata.name'"

# --- the story --------------------------------------------------------------------------------

schedules_are_applied() {
    step "Four Schedules"
    sed "s|WORKLOAD_IMAGE|$workload_image|" "$root/demo/schedules.yaml" >"$work/schedules.yaml"
    tell "from demo/schedules.yaml, with $workload_image as the image of their containers"
    show "kubectl apply -f $work/schedules.yaml"
    show "kubectl wait psched --all --for=condition=Ready --timeout=30s"
    show "kubectl get psched"
}

a_job_starts_on_its_slot() {
    step "A Job starts on its slot"
    first_step=$number
    tell "'report' asks for a run every ten seconds. Its first:"
    expect 40 "'report' has an active run" is_set report '.status.active[0].jobName'
    first_job=$(active_job report)
    show "kubectl get job $first_job $job_columns"
    check "the Job was created within a second of its slot" on_time "$first_job"
    echo
    tell "Beside an active Job there is a Lease, which says that the run is looked after, and by whom:"
    expect 10 "the run has a Lease" exists lease "$first_job"
    show "kubectl get lease $first_job $lease_columns"
    check "the leader holds the Lease of the run" equal "$(leader)" kubectl get lease "$first_job" -o jsonpath='{.spec.holderIdentity}'
}

one_is_paused() {
    step "Another Schedule is paused"
    tell "'heartbeat' asks for a run every four seconds, and will miss some until step $((number + 3))."
    show "kubectl patch psched heartbeat --type merge -p '{\"spec\": {\"paused\": true}}'"
    expect 10 "'heartbeat' is paused" equal Paused field heartbeat .status.state
    paused_at=$SECONDS
}

a_result_is_kept() {
    step "A result"
    tell "What the container wrote to /dev/termination-log is in the status of its Schedule:"
    expect 60 "the result of $first_job is there" equal Succeeded result_of report "$first_job"
    show "kubectl get psched report $results"
    check "the message of the container is the result's" equal "42 orders, 3 refunds" field report ".status.results[?(@.jobName==\"$first_job\")].message"
    if [ "$node" = real ]; then
        show "kubectl logs job/$first_job"
        check "the container knew its slot" grep -q "the report of slot 20" <(kubectl logs "job/$first_job")
    fi
    expect 10 "the Lease of the run is gone" gone kubectl get lease "$first_job" --ignore-not-found -o name
    echo
    tell "The Lease went when the run was recorded."
}

a_failure_explains_itself() {
    step "A failure"
    expect 60 "'broken' has failed" equal Failed field broken .status.lastRun.outcome
    show "kubectl get psched broken"
    show "kubectl get psched broken $results"
    show "kubectl get events --field-selector involvedObject.name=broken,type=Warning -o custom-columns=REASON:.reason,MESSAGE:.message"
    check "exit code and message are there" equal "3 no route to the database" kubectl get psched broken -o jsonpath='{.status.lastRun.exitCode} {.status.lastRun.message}'
}

# Three slots, wherever the pause began between two.
three_slots_have_passed() { [ $((SECONDS - paused_at)) -gt 12 ]; }

a_pause_ends() {
    step "The pause ends"
    expect 20 "three slots of 'heartbeat' have passed" three_slots_have_passed
    show "kubectl patch psched heartbeat --type merge -p '{\"spec\": {\"paused\": false}}'"
    expect 20 "'heartbeat' says what it missed" is_set heartbeat .status.lastResume
    echo
    tell "What was missed is told. The latest of it is made up for: that is the default of catchUp."
    show "kubectl get psched heartbeat -o jsonpath='{.status.lastResume}{\"\\n\"}'"
    show "kubectl get psched heartbeat $outcomes"
    local missed started dropped
    IFS=' ' read -r missed started dropped < <(kubectl get psched heartbeat -o jsonpath='{.status.lastResume.missed} {.status.lastResume.started} {.status.lastResume.dropped}{"\n"}')
    check "at least two were missed ($missed), one of them started ($started), the others did not ($dropped)" \
        [ "$missed" -ge 2 -a "$started" -eq 1 -a "$dropped" -eq $((missed - 1)) ]
}

another_leads() { local now; now=$(leader) && [ -n "$now" ] && [ "$now" != "$old_leader" ]; }
next_job_of_new_leader() {
    local term
    term=$(kubectl get lease punctual --namespace punctual -o jsonpath='{.spec.leaseTransitions}')
    # The first may be late, as its slot fell between the two leaders: the one after it counts.
    next_job=$(kubectl get jobs --sort-by=.metadata.creationTimestamp -o jsonpath="{range .items[?(@.metadata.annotations.punctual\.dev/schedule==\"report\")]}{.metadata.annotations.punctual\.dev/leader-term} {.metadata.annotations.punctual\.dev/slot-time} {.metadata.name}{\"\\n\"}{end}" |
        awk -v term="$term" -v since="$leads_since" '$1 == term && $2 > since {print $3; exit}')
    [ -n "$next_job" ]
}

the_leader_is_killed() {
    local interrupted slot
    step "The leader is killed in the middle of a run"
    expect 30 "'report' has an active run" is_set report '.status.active[0].jobName'
    interrupted=$(active_job report)
    slot=$(field report '.status.active[0].slotTime')
    old_leader=$(leader)
    tell "$interrupted runs; ${old_leader%_*} leads."
    kill_leader "${old_leader%_*}"
    expect 60 "another replica leads" another_leads
    leads_since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    show "kubectl get lease punctual --namespace punctual $lease_columns"
    expect 30 "the interrupted run is recorded" equal Succeeded outcome_of report "$slot"
    expect 30 "the new leader starts the next slot of 'report'" next_job_of_new_leader
    echo
    tell "The run went on meanwhile, and its result was recorded. A slot that comes due while nobody leads"
    tell "starts late, but once. The next after that, $next_job, was on time:"
    show "kubectl get jobs --sort-by=.metadata.creationTimestamp --selector punctual.dev/schedule-uid=$(field report .metadata.uid) $job_columns"
    check "the Job was created within a second of its slot" on_time "$next_job"
    check "no slot has two Jobs" gone slots_run_twice
    echo
    tell "Every slot has an outcome; equal neighbours are one line, from the first to the last. A slot that is"
    tell "due while another run is active is skipped: the default of concurrency."
    show "kubectl get psched report $outcomes"
}

a_result_expires() {
    step "A result expires"
    tell "The resultTTL of 'report' is 20s. The result of step $first_step leaves the status; the newest stay."
    expect 60 "the result of $first_job has expired" gone result_of report "$first_job"
    show "kubectl get psched report $results"
    check "the last run is still told of" is_set report .status.lastRun.jobName
    show "kubectl get psched"
}
