//! STUB until merge.
#![expect(missing_docs, clippy::all, clippy::pedantic)]
use super::*;
use crate::domain::*;
#[derive(Clone, Debug)]
pub struct NewResource {
    pub key: ResourceKey,
    pub labels: std::collections::BTreeMap<String, String>,
}
impl Db {
    pub async fn owners(&self, _: &[ResourceKey]) -> Result<Vec<Option<Owner>>> {
        todo!()
    }
    pub async fn record_resources(
        &self,
        _: &mut Author,
        _: TenantId,
        _: ProjectId,
        _: &[NewResource],
    ) -> Result<Vec<ResourceId>> {
        todo!()
    }
    pub async fn forget_resources(&self, _: &mut Author, _: &[ResourceKey]) -> Result<u64> {
        todo!()
    }
    pub async fn rename_resource(&self, _: &ResourceKey, _: &str) -> Result<bool> {
        todo!()
    }
}
