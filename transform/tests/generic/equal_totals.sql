{#- Two sums of measures are equal in every row. Milliseconds are whole numbers, so that nothing is rounded. -#}
{% test equal_totals(model, left, right) %}
select *, {{ left }} as left_side, {{ right }} as right_side
from {{ model }}
where {{ left }} <> {{ right }}
{% endtest %}
