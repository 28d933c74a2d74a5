{#- The column organization, where the tables have it: with a comma after it, or nothing. -#}
{% macro organization(of='') -%}
  {%- if var('using_organizations') %}{{ of ~ '.' if of }}organization, {% endif -%}
{%- endmacro %}

{#- The current rows of a query's table, by the same rule as the views of the tap. -#}
{% macro current_rows_of(query) -%}
  {{ genesys_aggregates.current_rows(
      source('genesys', 'extractions'),
      source('genesys', query),
      "'" ~ var('genesys_' ~ query ~ '_identifier') ~ "'",
      organizations=var('using_organizations')
  ) }}
{%- endmacro %}

{#- Joins a lookup, where it is loaded. -#}
{% macro join_lookup(lookup, id, row='r') -%}
  {% if var('using_' ~ lookup) %}
left join {{ source('genesys', lookup) }} as {{ lookup }}
  on {{ lookup }}.id = {{ row }}.{{ id }}
  {%- if var('using_organizations') %} and {{ lookup }}.organization = {{ row }}.organization {%- endif %}
  {% endif %}
{%- endmacro %}

{#- A column of a lookup, or null where it is not loaded, so that the columns of a model are always the same. -#}
{% macro looked_up(lookup, column) -%}
  {% if var('using_' ~ lookup) %}{{ lookup }}.{{ column }}{% else %}cast(null as {{ dbt.type_string() }}){% endif %}
{%- endmacro %}

{#- The last run of each organization, from the table that a scheduler writes. Where there is no such table there are
    no rows, so that the table may come later, and the marts are built all the same. -#}
{% macro last_runs() -%}
  {%- set runs = source('genesys', 'runs') -%}
  {%- if execute and load_relation(runs) is not none %}
  select organization, status, error, finished_at
  from (
    select
      organization, status, error, {{ genesys_aggregates.in_utc('finished_at') }} as finished_at,
      row_number() over (partition by organization order by started_at desc, finished_at desc) as place
    from {{ runs }}
  ) as numbered
  where place = 1
  {%- else %}
  select organization, query as status, query as error, last_extracted_at as finished_at from ledger where 1 = 0
  {%- endif %}
{%- endmacro %}
