# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# How ./dev and the scripts in tools/ tell what they do: one line per step with its time, the whole output in a log file.

if [[ -t 2 ]]; then bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'; else bold='' red='' plain=''; fi

say() { printf '%s\n' "$*" >&2; }

# die WHAT [WHAT TO DO NEXT]
die() {
  say "${red}error:${plain} $1"
  [[ -z ${2-} ]] || say "  next: $2"
  exit 1
}

# The last line of a growing log, every half minute, so that a long step is seen to live.
heartbeat() {
  local log=$1 began=$SECONDS never
  exec {never}<> <(:)  # a pipe nobody writes to: waiting on it leaves no sleeping child behind, as `sleep` would
  while read -rt 30 -u "$never"; (($? > 128)); do
    kill -0 $$ 2>/dev/null || return 0
    say "    $((SECONDS - began)) s: $(tail -n 1 "$log" 2>/dev/null | tr -d '\r' | cut -c1-90)"
  done
}

# step TITLE LOG NEXT COMMAND...: runs it with its output in LOG; on failure shows the end of the log and what to do next.
step() {
  local title=$1 log=$2 next=$3 began=$SECONDS pulse code=0
  shift 3
  mkdir -p "$(dirname "$log")"
  : >"$log"
  say "${bold}==>${plain} $title"
  heartbeat "$log" & pulse=$!
  "$@" >"$log" 2>&1 </dev/null || code=$?
  { kill "$pulse" && wait "$pulse"; } 2>/dev/null || true
  if ((code != 0)); then
    say "---- the end of $log"
    grep -v '^\s*$' "$log" | tail -n 60 >&2
    say "----"
    die "$title failed after $((SECONDS - began)) s (exit code $code; whole output: $log)" "$next"
  fi
  say "    done in $((SECONDS - began)) s"
}
