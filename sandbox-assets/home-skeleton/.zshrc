HISTFILE=~/.zsh_history
HISTSIZE=20000
SAVEHIST=20000
setopt append_history hist_ignore_dups hist_ignore_space inc_append_history share_history interactive_comments no_beep
bindkey -e

PROMPT='%F{cyan}%m%f %F{blue}%~%f %(?..%F{red}%?%f )%# '
alias ll='ls -l --color=auto'
alias la='ls -A --color=auto'

# An agent's shell tool reads this file too, without a terminal to edit a line in.
if [[ -t 0 ]]; then
    autoload -Uz compinit && compinit -d ~/.cache/zcompdump
    zstyle ':completion:*' menu select
    eval "$(fzf --zsh)"
fi
if [[ -r ~/.zshrc.local ]]; then source ~/.zshrc.local; fi
