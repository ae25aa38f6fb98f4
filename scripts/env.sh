# shellcheck shell=bash
# The environment of every build and test command, to be sourced by bash: one cache, one toolchain, one PATH.
#
#   ESE_CACHE         tools, toolchain and compiled code; default ~/.cache/event-stream-engine
#   CARGO_TARGET_DIR  compiled code; default $ESE_CACHE/target, shared by all checkouts of this machine
#   ESE_ROOT          this checkout (set here)
#
# $ESE_CACHE/toolchain.env is written by scripts/setup and names the Rust toolchain it settled on.

ESE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export ESE_ROOT
export ESE_CACHE=${ESE_CACHE:-${HOME:?is not set: the caches live below it}/.cache/event-stream-engine}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ESE_CACHE/target}

# Ours come first: the pinned tools must win over older ones of the machine.
for dir in "$ESE_CACHE/node/bin" "$ESE_CACHE/tools/bin" "$ESE_ROOT/node_modules/.bin"; do
  [[ ":$PATH:" == *":$dir:"* ]] || PATH="$dir:$PATH"
done
# The machine's own, where they are not on PATH: rustup's, and PostgreSQL's server programs on Debian (newest last wins).
for dir in "${CARGO_HOME:-$HOME/.cargo}/bin" /usr/lib/postgresql/*/bin; do
  [[ ! -d $dir || ":$PATH:" == *":$dir:"* ]] || PATH="$PATH:$dir"
done
unset dir
export PATH

# shellcheck source=/dev/null
if [[ -f $ESE_CACHE/toolchain.env ]]; then source "$ESE_CACHE/toolchain.env"; fi

# Cargo names a workspace's crates by their place in the workspace and trusts file times, so with a shared target folder
# it could take another checkout's newer build for ours. Whoever built there last is written down, and when it
# was another checkout our own crates (never the dependencies) are compiled anew.
ese_claim_target_dir() {
  local owner=$CARGO_TARGET_DIR/.checkout crate
  [[ $(cat "$owner" 2>/dev/null) == "$ESE_ROOT" ]] && return
  mkdir -p "$CARGO_TARGET_DIR"
  for crate in domain engine app frontend simulator server migrations end2end; do
    find "$CARGO_TARGET_DIR" -maxdepth 5 -type d -path "*/.fingerprint/$crate-*" -prune -exec rm -rf {} +
  done
  printf '%s\n' "$ESE_ROOT" >"$owner"
}
