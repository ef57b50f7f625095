"""The commands of `polypipe`: thin modules that import what a command needs when it runs."""
