{{ config(enabled=var('using_agent_status')) }}

{%- set status_types = {
    'routing_status': 't_agent_routing_status_sum',
    'presence': 't_system_presence_sum',
    'organization_presence': 't_organization_presence_sum',
} %}

with times as (
  {%- for status_type, column in status_types.items() %}
  select
    {{ organization() }}user_id, user_name, local_day,
    '{{ status_type }}' as status_type,
    qualifier as status,
    {{ 'coalesce(presence_name, qualifier)' if status_type == 'organization_presence' else 'qualifier' }} as status_name,
    {{ column }} as milliseconds,
    extracted_at
  from {{ ref('stg_genesys__agent_status') }}
  where {{ column }} is not null
  {%- if not loop.last %}
  union all
  {%- endif %}
  {%- endfor %}
)
select
  {{ organization() }}user_id,
  max(user_name) as user_name,
  local_day,
  status_type,
  status,
  max(status_name) as status_name,
  cast(sum(milliseconds) as {{ double() }}) / 1000 as seconds,
  max(extracted_at) as extracted_at
from times
group by {{ organization() }}user_id, local_day, status_type, status
