# Bash completions for runtime-module. They call the program itself.
_runtime_module() {
    # Bash also splits words at = and :, and a completion replaces only the last part. `begun`
    # contains the parts before the last one.
    local rest=$COMP_LINE words=() begun='' index part space=true
    for index in "${!COMP_WORDS[@]}"; do
        part=${COMP_WORDS[index]}
        if [[ $index -gt 0 && -n $part && $rest != [[:space:]]* ]]; then
            begun=${words[-1]}
            words[-1]+=$part
        else
            begun=''
            words+=("$part")
        fi
        [[ $index -lt $COMP_CWORD ]] || break
        rest=${rest#"${rest%%[![:space:]]*}"}
        rest=${rest#"$part"}
    done
    [[ $part != [=:]* ]] || begun=${words[-1]}
    words[-1]=$begun$2
    compopt +o nospace 2>/dev/null && space=false
    mapfile -t COMPREPLY < <(
        RUNTIME_MODULE_COMPLETE=bash _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) \
            _CLAP_COMPLETE_COMP_TYPE=$COMP_TYPE _CLAP_COMPLETE_SPACE=$space runtime-module -- "${words[@]}" 2>/dev/null
    )
    COMPREPLY=("${COMPREPLY[@]#"$begun"}")
    [[ $space == true || ${COMPREPLY-} != *[=/:.] ]] || compopt -o nospace
}
complete -o nospace -o bashdefault -o nosort -F _runtime_module runtime-module
