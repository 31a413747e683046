# Every zsh reads this, also that of an agent's shell tool. What the user installs comes first.
typeset -U path
path=("$HOME/.local/bin" $path)
