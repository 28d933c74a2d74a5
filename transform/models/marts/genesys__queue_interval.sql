{%- set marks = organization() ~ 'local_day, time_zone, queue_name, division_name, extracted_at' -%}
{{ config(
    enabled=var('using_queue_performance'),
    materialized='incremental',
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}
      delete from {{ this }} where local_day in (
        {{ genesys_aggregates.changed_days(ref('stg_genesys__queue_performance'), this, "
      ~ '"' ~ marks ~ '"' ~ ") }}
      )
    {% endif %}"
) }}

with intervals as (
  select
    {{ organization() }}queue_id, queue_name, division_name, media_type, interval_start, interval_end,
    local_day, time_zone,
    {%- for name, column in queue_totals().items() %}
    coalesce({{ column }}, 0) as {{ name }},
    {%- endfor %}
    o_service_level_target as service_level_target,
    is_final,
    extracted_at
  from {{ ref('stg_genesys__queue_performance') }}
  {%- if is_incremental() %}
  where {{ absent_days(this) }}
  {%- endif %}
)
select
  {{ organization() }}queue_id, queue_name, division_name, media_type, interval_start, interval_end,
  local_day, time_zone,
  {%- for name in queue_totals() %}
  {{ name }},
  {%- endfor %}
  service_level_target,
  {{ queue_ratios() }},
  is_final,
  extracted_at,
  cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as {{ dbt.type_timestamp() }}) as built_at
from intervals
