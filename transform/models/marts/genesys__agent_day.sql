{{ config(enabled=var('using_agent_performance') and var('using_agent_status')) }}

{%- set on_queue = ['interacting', 'communicating', 'idle', 'not_responding'] %}

with work as (
  select
    {{ organization() }}user_id,
    max(user_name) as user_name,
    local_day,
    {{- summed(agent_totals()) }},
    max(extracted_at) as extracted_at
  from {{ ref('stg_genesys__agent_performance') }}
  where user_id not in ('(not set)', '(empty)', '')  -- what no agent had a part in
  group by {{ organization() }}user_id, local_day
),
status as (
  select
    {{ organization() }}user_id,
    max(user_name) as user_name,
    local_day,
    {%- for each in on_queue %}
    coalesce(sum(case when status = '{{ each | upper }}' then seconds end), 0) as {{ each }}_seconds,
    {%- endfor %}
    max(extracted_at) as extracted_at
  from {{ ref('genesys__agent_status_day') }}
  where status_type = 'routing_status'
  group by {{ organization() }}user_id, local_day
),
days as (
  select
    {% if var('using_organizations') %}coalesce(work.organization, status.organization) as organization,
    {% endif -%}
    coalesce(work.user_id, status.user_id) as user_id,
    coalesce(work.user_name, status.user_name) as user_name,
    coalesce(work.local_day, status.local_day) as local_day,
    {%- for name in agent_totals() %}
    coalesce(work.{{ name }}, 0) as {{ name }},
    {%- endfor %}
    {%- for each in on_queue %}
    coalesce(status.{{ each }}_seconds, 0) as {{ each }}_seconds,
    {%- endfor %}
    coalesce(status.interacting_seconds, 0) + coalesce(status.communicating_seconds, 0) as occupied_seconds,
    case when work.extracted_at > status.extracted_at or status.extracted_at is null
      then work.extracted_at else status.extracted_at end as extracted_at
  from work
  full outer join status
    on work.user_id = status.user_id and work.local_day = status.local_day
    {%- if var('using_organizations') %} and work.organization = status.organization{% endif %}
)
select
  {{ organization() }}user_id, user_name, local_day,
  {%- for name in agent_totals() %}
  {{ name }},
  {%- endfor %}
  {%- for each in on_queue %}
  {{ each }}_seconds,
  {%- endfor %}
  occupied_seconds + idle_seconds + not_responding_seconds as on_queue_seconds,
  {{ handling_ratios() }},
  {{ ratio('interacting_seconds', 'occupied_seconds + idle_seconds') }} as occupancy,
  {{ ratio('handled * 3600', 'occupied_seconds + idle_seconds + not_responding_seconds') }}
    as interactions_per_on_queue_hour,
  extracted_at
from days
