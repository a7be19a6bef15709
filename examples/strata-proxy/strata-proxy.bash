# SPDX-License-Identifier: Apache-2.0
# Completion for bash: source it, or put it into bash-completion's folder as "strata-proxy".
_strata_proxy() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options
  case ${COMP_WORDS[1]} in
    top) options="--admin --config --interval --once --ascii --help" ;;
    *) options="--config --listen --allow --check --help --version" ;;
  esac
  ((COMP_CWORD > 1)) || options+=" top"
  case $before in
    -c | --config | --check) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    -l | --listen) mapfile -t COMPREPLY < <(compgen -W "127.0.0.1:1080 127.0.0.1:0" -- "$word") ;;
    -a | --admin) mapfile -t COMPREPLY < <(compgen -W "127.0.0.1:9090" -- "$word") ;;
    -i | --interval) mapfile -t COMPREPLY < <(compgen -W "0.5 1 2 5 10" -- "$word") ;;
    --allow) mapfile -t COMPREPLY < <(compgen -W "127.0.0.0/8 10.0.0.0/8 192.168.0.0/16" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
  esac
}
complete -F _strata_proxy strata-proxy
