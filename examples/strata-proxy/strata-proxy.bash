# SPDX-License-Identifier: Apache-2.0
# Completion for bash: source it, or put it into bash-completion's folder as "strata-proxy".
_strata_proxy() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  case $before in
    -c | --config) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    -l | --listen) mapfile -t COMPREPLY < <(compgen -W "127.0.0.1:1080 127.0.0.1:0" -- "$word") ;;
    --allow) mapfile -t COMPREPLY < <(compgen -W "127.0.0.0/8 10.0.0.0/8 192.168.0.0/16" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "--config --listen --allow --check --help" -- "$word") ;;
  esac
}
complete -F _strata_proxy strata-proxy
