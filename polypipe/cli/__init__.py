"""What `polypipe` can be told to do: one thin module a subject; each command imports what it needs when it runs."""
