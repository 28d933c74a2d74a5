{%- set by = organization() ~ 'query' -%}
{%- set checked = [] -%}
{%- for query in ['queue_performance', 'agent_performance', 'agent_status'] if var('using_' ~ query) -%}
  {%- do checked.append(query) -%}
{%- endfor -%}

with ledger as (
  select
    {{ by }},
    count(*) as windows,
    sum(case when was_split then 1 else 0 end) as split_windows,
    sum(retries) as retries,
    min(window_start) as covered_from,
    max(window_end) as covered_until,
    max(extracted_at) as last_extracted_at
  from {{ source('genesys', 'extractions') }}
  group by {{ by }}
),
gaps as (
  select {{ by }}, count(*) as gaps
  from (
{{ genesys_aggregates.gaps(source('genesys', 'extractions'), organizations=var('using_organizations')) }}
  ) as found
  group by {{ by }}
),
missing as (
  {%- for query in checked %}
  {%- set name = "'" ~ var('genesys_' ~ query ~ '_identifier') ~ "'" %}
  select
    {{ organization() }}{{ name }} as query,
    count(*) as missing_windows,
    sum(rows_extracted - rows_present) as missing_rows
  from (
{{ genesys_aggregates.missing_windows(
    source('genesys', 'extractions'), source('genesys', query), name, organizations=var('using_organizations')
) }}
  ) as found_{{ query }}
  {% if var('using_organizations') %}group by organization{% endif %}
  {%- if not loop.last %}
  union all
  {%- endif %}
  {%- else %}
  select {{ organization() }}query, 0 as missing_windows, 0 as missing_rows from ledger where 1 = 0
  {%- endfor %}
)
{%- if var('using_organizations') %},
runs as (
{{ last_runs() }}
)
{%- endif %}
select
  {% if var('using_organizations') %}coalesce(ledger.organization, runs.organization) as organization,{% endif %}
  ledger.query,
  ledger.windows,
  ledger.split_windows,
  ledger.retries,
  ledger.covered_from,
  ledger.covered_until,
  ledger.last_extracted_at,
  {{ dbt.datediff('ledger.last_extracted_at', now_in_utc(), 'hour') }} as hours_since_extraction,
  {{ dbt.datediff('ledger.covered_until', now_in_utc(), 'hour') }} as hours_behind,
  case when ledger.query is not null then coalesce(gaps.gaps, 0) end as gaps,
  {%- set names = [] %}
  {%- for query in checked %}{% do names.append("'" ~ var('genesys_' ~ query ~ '_identifier') ~ "'") %}{% endfor %}
  {%- for column in ['missing_windows', 'missing_rows'] %}
  {%- if names %}
  case when ledger.query in ({{ names | join(', ') }}) then coalesce(missing.{{ column }}, 0) end as {{ column }},
  {%- else %}
  cast(null as bigint) as {{ column }},
  {%- endif %}
  {%- endfor %}
  {%- if var('using_organizations') %}
  runs.status as last_run_status,
  runs.finished_at as last_run_at,
  case when runs.status = 'failed' then runs.error end as last_error,
  {%- endif %}
  {{ now_in_utc() }} as built_at
from ledger
{%- if var('using_organizations') %}
full outer join runs on runs.organization = ledger.organization
{%- endif %}
left join gaps on gaps.query = ledger.query
  {%- if var('using_organizations') %} and gaps.organization = ledger.organization{% endif %}
left join missing on missing.query = ledger.query
  {%- if var('using_organizations') %} and missing.organization = ledger.organization{% endif %}
