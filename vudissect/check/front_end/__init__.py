"""The half of the suite that checks front-ends: a scripted back-end that is right in all but one thing a case.

`device` is what it offers, `session` how it answers, `scene` one case while it is played, `play` and `verbs` the
language of the cases, `runner` what runs and judges them. The cases are in `check.cases.front_end`.
"""
