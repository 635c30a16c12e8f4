# What one does with this checkout. Everything is built and set up as needed; only Rust, Go and a
# C compiler have to be there, and root on Debian for a node that really runs containers.

.DEFAULT_GOAL := help
.PHONY: help demo test seeds mutants soak fuzz bench bench-time build crd fmt lint clean

# What make fuzz tries: trigger or schedule, and for how long.
TARGET = trigger
FUZZ_SECONDS = 3600
SEEDS = 10000
FIRST = 1

# For make demo; see demo/run.
export CLUSTER IMAGE WORKLOAD_IMAGE NODE

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@echo
	@echo '  make demo CLUSTER=current IMAGE=registry.example.com/punctual:0.1.0'
	@echo '                  shows it in the cluster of the current kubectl context instead'

demo: ## Show what Punctual does, on a cluster of its own, in about a minute
	@demo/run

test: ## Run the whole suite
	@tests/run

seeds: ## Simulate the whole operator, SEEDS=10000 times from FIRST=1, with whatever can go wrong
	CRASHES=all SEEDS=$(SEEDS) FIRST=$(FIRST) cargo test --locked --profile measure --test simulation -- \
		--nocapture --test-threads=1 world::

mutants: ## Show that the simulation notices when a guard of the operator is off
	@tests/mutants

soak: ## Break things by a seed for minutes or hours, and account for every slot: make soak MINUTES=60 SEED=7
	@devcluster/devcluster path >/dev/null
	MINUTES=$(MINUTES) SEED=$(SEED) SCHEDULES=$(SCHEDULES) \
		cargo test --locked --test cluster -- --ignored --exact --nocapture soak::soak

fuzz: ## Try TARGET=trigger or schedule at random for an hour, or FUZZ_SECONDS; needs cargo-fuzz and a nightly toolchain
	mkdir -p fuzz/corpus/$(TARGET)
	cargo +nightly fuzz run -s none $(TARGET) fuzz/corpus/$(TARGET) fuzz/found/$(TARGET) -- \
		-max_total_time=$(FUZZ_SECONDS) -max_len=$(if $(filter schedule,$(TARGET)),4000,600) -timeout=20

bench-time: ## Measure how long it takes to find slots, beside the library of a CronJob
	cargo bench --locked --bench time

# What is measured is chosen by the variables in benches/cluster/options.rs: make bench PHASES=herd N=100,1000
bench: ## Measure it beside the CronJob controller, in an hour and a quarter
	@devcluster/devcluster path >/dev/null
	cargo build --locked --release
	cargo bench --locked --profile measure --bench cluster

build: ## Build the operator and the kubectl plugin for release
	cargo build --locked --release

crd: ## Write the custom resource definitions anew, and what else is generated
	UPDATE=1 cargo test --locked --quiet --test repository

fmt: ## Format all code
	cargo fmt
	gofmt -w $(GO_SOURCES)

lint: ## Check format and lints
	@tests/run format lints scripts chart

clean: ## Remove what was built here; what devcluster keeps in its cache stays
	cargo clean

GO_SOURCES = $(shell find devcluster -name '*.go')
