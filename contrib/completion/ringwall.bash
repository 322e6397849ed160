# SPDX-License-Identifier: MIT
# Completion of ringwall and ringwalld for bash. Read it from the folder
# bash-completion/completions, under the name of each program.

_ringwall()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local words=

	case $before in
	-o)
		if [[ ${COMP_WORDS[1]} == keygen || ${COMP_WORDS[1]} == policy ]]; then
			compopt -o default
			return
		fi
		words="table json"
		;;
	--trust | --image | --public)
		compopt -o default
		return
		;;
	--cpu | --give | --take)
		return
		;;
	*)
		case $COMP_CWORD,${COMP_WORDS[1]},${COMP_WORDS[2]} in
		1,*) words="monitor status events test-alert policy keygen version help" ;;
		2,monitor,*) words="load enable disable unload memory dump" ;;
		2,policy,*) words="build sign verify inspect load" ;;
		*,monitor,load) words="--trust" ;;
		*,monitor,memory) words="--give --take" ;;
		*,monitor,dump) words="--image -o" ;;
		*,status,*) words="-o" ;;
		*,events,*) words="--follow" ;;
		*,keygen,*) words="-o --public" ;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	if [[ ${COMP_WORDS[1]} == policy || ${COMP_WORDS[2]} == load ]] &&
		((COMP_CWORD > 2)); then
		compopt -o default
	fi
}

_ringwalld()
{
	local word=${COMP_WORDS[COMP_CWORD]}

	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-c | --config | --check)
		compopt -o default
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "-c --foreground --check --version" -- "$word")
}

complete -F _ringwall ringwall
complete -F _ringwalld ringwalld
