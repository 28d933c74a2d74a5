{%- set marks = organization() ~ 'local_day, time_zone, built_at' -%}
{{ config(
    enabled=var('using_queue_performance'),
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}
      delete from {{ this }} where local_day in (
        {{ genesys_aggregates.changed_days(ref('genesys__queue_interval'), this, "
      ~ '"' ~ marks ~ '"' ~ ", 'sum(intervals)') }}
      )
    {% endif %}"
) }}

with days as (
  select
    {{ organization() }}queue_id, queue_name, division_name, media_type, local_day, time_zone,
    {%- for name in queue_totals() %}
    sum({{ name }}) as {{ name }},
    {%- endfor %}
    max(service_level_target) as service_level_target,
    count(*) as intervals,
    min(case when is_final then 1 else 0 end) = 1 as is_final,
    max(extracted_at) as extracted_at,
    max(built_at) as built_at
  from {{ ref('genesys__queue_interval') }}
  {%- if is_incremental() %}
  where {{ absent_days(this) }}
  {%- endif %}
  group by {{ organization() }}queue_id, queue_name, division_name, media_type, local_day, time_zone
)
select
  {{ organization() }}queue_id, queue_name, division_name, media_type, local_day, time_zone,
  {%- for name in queue_totals() %}
  {{ name }},
  {%- endfor %}
  service_level_target,
  {{ queue_ratios() }},
  intervals,
  is_final,
  extracted_at,
  built_at
from days
