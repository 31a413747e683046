case ":$PATH:" in *":$HOME/.local/bin:"*) ;; *) PATH="$HOME/.local/bin:$PATH" ;; esac
case $- in *i*) ;; *) return ;; esac

HISTSIZE=20000
HISTFILESIZE=20000
HISTCONTROL=ignoreboth
shopt -s histappend checkwinsize
PS1='\[\e[36m\]\h\[\e[0m\] \[\e[34m\]\w\[\e[0m\] \$ '
alias ll='ls -l --color=auto'
alias la='ls -A --color=auto'

eval "$(fzf --bash)"
if [ -r ~/.bashrc.local ]; then . ~/.bashrc.local; fi
