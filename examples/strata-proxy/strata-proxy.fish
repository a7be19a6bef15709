# SPDX-License-Identifier: Apache-2.0
# Completion for fish: put it into fish's folder of completions.
complete -c strata-proxy -n __fish_use_subcommand -f -a top -d 'What a running one does'
complete -c strata-proxy -n 'not __fish_seen_subcommand_from top' -s l -l listen -x -a 127.0.0.1:1080 -d 'Where to listen instead'
complete -c strata-proxy -n 'not __fish_seen_subcommand_from top' -l allow -x -a '127.0.0.0/8 10.0.0.0/8' -d 'Connect to this network, too'
complete -c strata-proxy -n 'not __fish_seen_subcommand_from top' -l check -r -d 'What is wrong with the file'
complete -c strata-proxy -n 'not __fish_seen_subcommand_from top' -l version -f -d 'Which one this is'
complete -c strata-proxy -n '__fish_seen_subcommand_from top' -s a -l admin -x -a 127.0.0.1:9090 -d 'Where it tells of itself'
complete -c strata-proxy -n '__fish_seen_subcommand_from top' -s i -l interval -x -a '0.5 1 2 5 10' -d 'Seconds between two looks'
complete -c strata-proxy -n '__fish_seen_subcommand_from top' -l once -f -d 'One frame as plain text'
complete -c strata-proxy -n '__fish_seen_subcommand_from top' -l ascii -f -d 'Without blocks of Unicode'
complete -c strata-proxy -s c -l config -r -d 'A configuration'
complete -c strata-proxy -s h -l help -f -d 'What there is'
