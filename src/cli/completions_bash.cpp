// Completes in bash from version 4.4 on, without the package bash-completion.
#include "command_tree.h"
#include "completion_tables.h"

namespace longbow {

namespace {

constexpr const char* kFunction = R"bash(
# Prints the installed configurations that begin with $1, as -c takes them.
_longbow_configs() {
    local program configs name
    program=$(readlink -f "$(type -P "$2")") || return
    configs=${program%/*}/../share/longbow/configs
    [[ -d $configs ]] || return
    (cd "$configs" && compgen -f -- "$1") | while IFS= read -r name; do
        if [[ -d $configs/$name ]]; then printf '%s/\n' "$name"; else printf '%s\n' "$name"; fi
    done
}

_longbow() {
    local line=${COMP_LINE:0:COMP_POINT} command=longbow reply='' offered='' word current before head=''
    local -a words
    # Readline cuts words at = and :, so they are taken from the line itself.
    read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then words+=(''); fi
    current=${words[${#words[@]} - 1]}
    before=''
    if ((${#words[@]} > 1)); then before=${words[${#words[@]} - 2]}; fi
    for word in "${words[@]:1:${#words[@]}-2}"; do
        if _longbow_verbs "$command" && [[ " $reply " == *" $word "* ]]; then command+=" $word"; fi
    done

    COMPREPLY=()
    if [[ $current == -*=* ]]; then
        if _longbow_values "$command ${current%%=*}"; then offered=$reply; fi
        head=${current%%=*}=
    elif _longbow_values "$command $before"; then
        offered=$reply
        if [[ $before == -c || $before == --config ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$current"; _longbow_configs "$current" "${words[0]}")
            compopt -o filenames 2>/dev/null
            if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace 2>/dev/null; fi
            return
        fi
    elif [[ $current == -* ]]; then
        if _longbow_flags "$command"; then offered=$reply; fi
    elif [[ $current == *=* ]]; then
        if _longbow_takes_settings "$command" && _longbow_setting_values "${current%%=*}"; then offered=$reply; fi
        head=${current%%=*}=
    else
        if _longbow_verbs "$command"; then offered=$reply; fi
        local files=''
        if _longbow_arguments "$command"; then
            offered+=" $reply"
            files=yes
        fi
        if _longbow_takes_settings "$command"; then
            if [[ $current == *.* ]]; then offered+=" $_longbow_keys"; else offered+=" $_longbow_sections"; fi
            if [[ $files == yes ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi
        fi
    fi
    # What stands before the = is a word of its own for readline, except where = does not cut.
    local value=${current#"$head"} shown=$head name
    if [[ $COMP_WORDBREAKS == *=* ]]; then shown=''; fi
    for name in $offered; do
        if [[ $name == "$value"* ]]; then COMPREPLY+=("$shown$name"); fi
    done
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[.=] ]]; then compopt -o nospace 2>/dev/null; fi
}

# Where nothing of longbow's own fits, bash offers files.
complete -o bashdefault -o default -F _longbow longbow
)bash";

}  // namespace

std::string bash_completions(const std::vector<CommandEntry>& tree, const std::vector<SettingEntry>& settings) {
    return "# Completes longbow in bash; written by `longbow completions bash`.\n" + completion_tables(tree, settings) +
           kFunction;
}

}  // namespace longbow
