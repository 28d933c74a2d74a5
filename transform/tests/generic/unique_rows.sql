{#- No two rows have the same values in these columns (and the same organization), and none is null. -#}
{% test unique_rows(model, columns) %}
select {{ genesys_aggregates.organization() }}{{ columns }}, count(*) as number_of_rows
from {{ model }}
group by {{ genesys_aggregates.organization() }}{{ columns }}
having count(*) > 1 or count({{ columns.split(', ') | join(') < count(*) or count(') }}) < count(*)
{% endtest %}
