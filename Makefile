# A thin front of CMake and tools/. "make help" lists the targets.

BUILD        ?= build
PREFIX       ?= /usr/local
SECONDS_EACH ?= 20
OUT          ?= out/room
BENCH        ?= all
# Extra arguments for ctest, for example TESTS='-R core_ring'.
TESTS        ?=
CMAKE_ARGS   ?=

JOBS := $(shell nproc 2>/dev/null || echo 2)
# The sanitizers of gcc 12 and clang 14 do not know the wider address randomisation of newer kernels.
FIXED_ADDRESSES := $(shell setarch -R true 2>/dev/null && echo setarch -R)

.PHONY: build run test bench gpu-check gpu-bench lint fmt asan tsan clang fuzz install uninstall clean help setup

build: setup $(BUILD)/build.ninja ## build everything into build/
	@cmake --build $(BUILD) -j $(JOBS)

setup:
	@tools/setup

$(BUILD)/build.ninja: | setup
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_ARGS)

run: setup $(BUILD)/build.ninja ## compute the acoustics of a room; results in out/room
	@cmake --build $(BUILD) -j $(JOBS) --target product
	@$(BUILD)/bin/rk run examples/room.yaml --output $(OUT)

test: build ## build and run all tests
	@tools/run-tests $(BUILD) $(TESTS)

bench: build ## run the benchmarks; BENCH=ring runs one
	@tools/setup --bench
	@$(BUILD)/bin/rk bench $(BENCH)

gpu-check: ## the conformance suite on every real GPU; needs a C compiler, cmake and the GPU's driver
	@tools/gpu check

gpu-bench: ## measure the first real GPU; results in docs/benchmarks
	@tools/gpu bench

lint: setup ## formatting, layers, sizes, scripts
	@tools/lint

fmt: setup ## format the sources
	@tools/lint --fix

asan: setup ## tests under the address and undefined-behaviour sanitizers
	@cmake -S . -B build-asan -G Ninja -DRK_SANITIZE=address $(CMAKE_ARGS)
	@cmake --build build-asan -j $(JOBS)
	@$(FIXED_ADDRESSES) tools/run-tests build-asan $(TESTS)

tsan: setup ## tests under the thread sanitizer
	@cmake -S . -B build-tsan -G Ninja -DRK_SANITIZE=thread $(CMAKE_ARGS)
	@cmake --build build-tsan -j $(JOBS)
	@$(FIXED_ADDRESSES) tools/run-tests build-tsan $(TESTS)

clang: setup ## build everything with clang, without running anything
	@cmake -S . -B build-clang -G Ninja -DCMAKE_C_COMPILER=clang $(CMAKE_ARGS)
	@cmake --build build-clang -j $(JOBS)

fuzz: setup ## every fuzz target for SECONDS_EACH seconds (20)
	@cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DRK_FUZZ=ON -DRK_SANITIZE=address \
	    $(CMAKE_ARGS)
	@cmake --build build-fuzz -j $(JOBS)
	@$(FIXED_ADDRESSES) tools/run-fuzz build-fuzz $(SECONDS_EACH)

install: setup ## install below PREFIX (/usr/local); DESTDIR is honoured
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(CMAKE_ARGS)
	@cmake --build $(BUILD) -j $(JOBS)
	@cmake --install $(BUILD)
	@cp $(BUILD)/install_manifest.txt $(BUILD)/installed-files

uninstall: ## remove what the last install from this folder put there
	@tools/uninstall $(BUILD)/installed-files

clean: ## remove all build folders
	@rm -rf build build-gpu build-asan build-tsan build-clang build-fuzz

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' Makefile | column -t -s @ 2>/dev/null || \
	    sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1: \2/p' Makefile
