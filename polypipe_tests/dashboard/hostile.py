"""Hostile texts for titles, outcomes, slugs and labels."""

HOSTILE = (
    "<img src=x onerror=window.__xss=1>",
    "<script>window.__xss=1</script>",
    "</script><script>window.__xss=1</script>",
    '"><svg onload=window.__xss=1>',
    "' onmouseover='window.__xss=1",
    "javascript:window.__xss=1",
    "../../evil?x=1#y",
    "{{ 7 * 7 }}${window.__xss=1}",
    "<!-- --><iframe srcdoc='<script>parent.__xss=1</script>'>",
    "&lt;img src=x onerror=window.__xss=1&gt;",
    "\u202egnirts desrever \u2066",
    "a" * 3000,
    "\ufeff\u200b\u0007 zero width and control",
    "<b>bold</b><style>*{display:none}</style>",
    "<a href='https://evil.example'>click</a>",
)
