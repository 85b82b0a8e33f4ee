/*
 * complete_scripts.c: the scripts that shells load. They ask the program for candidates
 * ("rk __complete -- WORD..."), so they know nothing about its commands.
 */
#include "cli/complete.h"

#include <string.h>

static const char bash[] =
    "# Completion of rk for bash.\n"
    "_rk() {\n"
    "    local line word cur=${COMP_WORDS[COMP_CWORD]}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "            :folders)\n"
    "                while IFS= read -r word; do COMPREPLY+=(\"$word\"); done \\\n"
    "                    < <(compgen -d -- \"$cur\")\n"
    "                compopt -o filenames ;;\n"
    "            ':files '*)\n"
    "                while IFS= read -r word; do\n"
    "                    if [[ -d $word || $word == *\"${line#:files }\" ]]; then\n"
    "                        COMPREPLY+=(\"$word\")\n"
    "                    fi\n"
    "                done < <(compgen -f -- \"$cur\")\n"
    "                compopt -o filenames ;;\n"
    "            *) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
    "2>/dev/null)\n"
    "}\n"
    "complete -F _rk rk\n";

static const char zsh[] =
    "#compdef rk\n"
    "# Completion of rk for zsh.\n"
    "_rk() {\n"
    "    local line\n"
    "    local -a found\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "            :folders) _files -/ ;;\n"
    "            ':files '*) _files -g \"*${line#:files }\" ;;\n"
    "            *) found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[1]}\" __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    (( ${#found} )) && _describe rk found\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _rk ]; then\n"
    "    _rk \"$@\"\n"
    "else\n"
    "    compdef _rk rk\n"
    "fi\n";

static const char fish[] =
    "# Completion of rk for fish.\n"
    "function __rk_candidates\n"
    "    set -l words (commandline -opc)\n"
    "    set -l cur (commandline -ct)\n"
    "    for line in ($words[1] __complete -- $words[2..-1] \"$cur\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case ':folders'\n"
    "                __fish_complete_directories \"$cur\"\n"
    "            case ':files *'\n"
    "                set -l suffix (string replace ':files ' '' -- $line)\n"
    "                __fish_complete_suffix \"$cur\" \"$suffix\"\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c rk -f -a '(__rk_candidates)'\n";

const char *rk_cli_completion_script(const char *shell)
{
    return strcmp(shell, "bash") == 0   ? bash
           : strcmp(shell, "zsh") == 0  ? zsh
           : strcmp(shell, "fish") == 0 ? fish
                                        : NULL;
}
